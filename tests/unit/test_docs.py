"""The records of decisions, and the links of all pages."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DECISIONS = ROOT / "docs" / "decisions"
RECORDS = sorted(DECISIONS.glob("[0-9]*.md"))
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
every_record = pytest.mark.parametrize("record", RECORDS, ids=lambda path: path.stem)


def targets(page: Path) -> list[tuple[str, str]]:
    """Where the page's links to this checkout lead: to a file, or "" for the same page, and to a section of it."""
    found = re.findall(r"\]\(([^)\s]+)\)", page.read_text())
    parts = [target.partition("#") for target in found if "://" not in target]
    return [(file, section) for file, _, section in parts]


def links(page: Path) -> list[str]:
    """The other files that the page's links lead to."""
    return [file for file, _ in targets(page) if file]


def sections(page: Path) -> set[str]:
    """The names by which links lead to the sections of a page, as GitHub makes them from the headings."""
    headings = re.findall(r"(?m)^#+ (.+)$", page.read_text())
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_decisions_are_numbered_without_a_gap() -> None:
    assert [int(record.name[:4]) for record in RECORDS] == list(range(1, len(RECORDS) + 1))
    assert RECORDS


def test_the_readme_leads_to_every_decision() -> None:
    assert "docs/decisions/README.md" in links(ROOT / "README.md")
    assert [link for link in links(DECISIONS / "README.md") if link[0].isdigit()] == [path.name for path in RECORDS]


@every_record
def test_a_decision_has_its_parts_and_is_short(record: Path) -> None:
    lines = record.read_text().splitlines()

    assert lines[0].startswith(f"# {record.name[:4]}: ")
    assert lines[2].startswith("Status: ")
    assert [line for line in lines if line.startswith("## ")] == ["## Context", "## Decision", "## Consequences"]
    assert len(lines) < 40


@every_record
def test_the_index_has_a_decision_s_own_title(record: Path) -> None:
    title = record.read_text().splitlines()[0].removeprefix(f"# {record.name[:4]}: ")

    assert f"| [{record.name[:4]}]({record.name}) | {title} |" in (DECISIONS / "README.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert [link for link in links(page) if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_to_a_section_lead_to_one(page: Path) -> None:
    found = [(page.parent / file if file else page, section) for file, section in targets(page) if section]

    assert [(str(file), section) for file, section in found if section not in sections(file)] == []


@every_record
def test_the_files_that_a_decision_names_are_there(record: Path) -> None:
    named = re.findall(r"`((?:components|lab|monitoring|services|tests)/[\w./]*)`", record.read_text())

    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_tests_that_the_page_on_security_names_are_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "security.md").read_text()))
    written = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
    }

    assert named
    assert named - written == set()
