"""Describe in one sentence what an update changes, with the counts from the CLI's event log."""

import json
from collections.abc import Mapping
from pathlib import Path

_NO_CHANGE = {"same", "read", "read-replacement", "discard"}
"""Operations that do not change the cluster."""


def count(event_log: Path) -> dict[str, int]:
    """Return how many resources each operation was applied to, or would be. `same` counts the unchanged ones.

    Raises:
        ValueError: the log has no summary.
    """
    for line in event_log.read_text().splitlines():
        summary = json.loads(line).get("summaryEvent")
        if summary:
            return dict(summary["resourceChanges"] or {})
    raise ValueError(f"{event_log} has no summary")


def planned(counts: Mapping[str, int]) -> str:
    """Say what `make up` would do, after a preview."""
    changes, kept = _changes(counts), counts.get("same", 0)
    if not changes:
        return f"`make up` would change nothing: all {kept} resources match the settings."
    return f"`make up` would make {_listed(changes)}; {kept} resources would stay as they are."


def done(counts: Mapping[str, int]) -> str:
    """Say what `make up` has done."""
    changes, kept = _changes(counts), counts.get("same", 0)
    if not changes:
        return f"The cluster is up. Nothing had to change: all {kept} resources match the settings."
    return f"The cluster is up, after {_listed(changes)}; {kept} resources stayed as they were."


def _changes(counts: Mapping[str, int]) -> dict[str, int]:
    return {name: number for name, number in counts.items() if name not in _NO_CHANGE and number}


def _listed(changes: Mapping[str, int]) -> str:
    total = sum(changes.values())
    each = ", ".join(f"{name} {number}" for name, number in sorted(changes.items()))
    return f"{total} change{'s' if total > 1 else ''} ({each})"
