"""The suite of `make test-abuse`: the tests that docs/security.md names, as far as they need no hosts."""

import re
from pathlib import Path

_FOLDERS = ("tests/service", "tests/unit")
LIMIT_SECONDS = 15 * 60
"""How long the suite may take before it counts as failed."""


def named_tests(root: Path) -> list[str]:
    """Return pytest's ids of the tests that the page names, sorted."""
    named = set(re.findall(r"`(test_\w+)`", (root / "docs" / "security.md").read_text()))
    return sorted(
        f"{path.relative_to(root)}::{name}"
        for folder in _FOLDERS
        for path in (root / folder).rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
        if name in named
    )
