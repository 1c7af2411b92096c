"""`make sbom`: everything that is pinned is in it, with its hashes, and other programs can read it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from components import images
from tools import sbom

ROOT = Path(__file__).parents[3]
LOCK_FILES = [ROOT / sbom.PROGRAM, ROOT / sbom.SERVICE]
UPSTREAM = [value for value in vars(images).values() if isinstance(value, str) and "@sha256:" in value]


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    checkout = tmp_path_factory.mktemp("checkout")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sbom, "OUTPUT", checkout / "build" / "sbom.cdx.json")
        sbom.main()
    return (checkout / "build" / "sbom.cdx.json").read_text()


@pytest.fixture
def document(text: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def dependencies(document: dict[str, Any], ref: str) -> set[str]:
    (found,) = [entry["dependsOn"] for entry in document["dependencies"] if entry["ref"] == ref]
    return set(found)


def test_it_is_valid_by_the_schema(text: str) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text.replace('"library"', '"book"')) is not None


@pytest.mark.parametrize("lock_file", LOCK_FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_it_has_every_locked_package_with_every_hash(document: dict[str, Any], lock_file: Path) -> None:
    listed = {
        f"{found['name']}=={found['version']}": {
            hashed["content"] for reference in found["externalReferences"] for hashed in reference["hashes"]
        }
        for found in document["components"]
        if found["type"] == "library"
    }
    locked: dict[str, set[str]] = {}
    for line in lock_file.read_text().splitlines():
        if named := re.match(r"(\S+?)==(\S+)", line):
            locked[f"{named[1]}=={named[2]}"] = package = set()
        elif hashed := re.search(r"--hash=sha256:(\w+)", line):
            package.add(hashed[1])

    assert len(locked) > 10
    assert {name: listed.get(name) for name in locked} == locked


def test_it_has_every_upstream_image_with_its_digest(document: dict[str, Any]) -> None:
    listed = {
        f"{found['name']}:{found['version']}@sha256:{found['hashes'][0]['content']}"
        for found in document["components"]
        if "hashes" in found
    }

    assert len(UPSTREAM) == 10
    assert listed == set(UPSTREAM)


def test_it_says_what_is_in_the_program_and_what_in_the_file_services_image(document: dict[str, Any]) -> None:
    program = dependencies(document, document["metadata"]["component"]["bom-ref"])
    service = dependencies(document, "file-transfer")

    assert any(ref.startswith("pkg:pypi/pulumi@") for ref in program - service)
    assert any(ref.startswith("pkg:pypi/gunicorn@") for ref in service - program)
    assert any(ref.startswith("pkg:docker/python@sha256") for ref in service)
    assert "file-transfer" in program


def test_an_image_of_another_registry_names_it() -> None:
    found = sbom.image(images.CADVISOR).purl

    assert found
    assert (found.namespace, found.name) == ("google", "cadvisor")
    assert isinstance(found.qualifiers, dict)
    assert found.qualifiers["repository_url"] == "ghcr.io"


@pytest.mark.parametrize("reference", ["haproxy:3.2", f"haproxy@sha256:{'a' * 64}", "haproxy"])
def test_an_image_that_is_not_pinned_is_an_error(reference: str) -> None:
    with pytest.raises(ValueError, match=f'the image is "{reference}": give its tag and its digest'):
        sbom.image(reference)


def test_git_ignores_it() -> None:
    assert f"/{sbom.OUTPUT.parent}/" in (ROOT / ".gitignore").read_text().splitlines()
