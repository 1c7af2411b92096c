"""A condensed recording has no repetitions, and only the parts that a provider reads."""

import json
from typing import Any

from lab.recording import condensed, text


def resource(identifier: str, value: int) -> dict[str, Any]:
    return {"type": "t", "id": identifier, "inputs": {"a": value}, "outputs": {"a": value, "path": "/checkout/x"}}


def engine(replicas: int) -> dict[str, Any]:
    return {
        "service": [{"ID": "s1", "Spec": replicas, "UpdateStatus": "busy"}, {"ID": "other", "Spec": 0}],
        "network": [{"Id": "n1", "Containers": {"c": 1}}],
        "volume": [{"Name": "v1"}],
    }


BEFORE = {"service": resource("s1", 1), "network": resource("n1", 1)}
AFTER = {**BEFORE, "service": resource("s1", 2)}
STEP = {"op": "update", "name": "service", "old": BEFORE["service"]["outputs"], "new": {"a": 2}}
RECORDING = {
    "made": "today",
    "plugins": {},
    "created": BEFORE,
    "refreshed": BEFORE,
    "engine": engine(1),
    "changes": {"previewed": {"steps": [STEP]}, "applied": {"steps": [], "updated": AFTER, "engine": engine(2)}},
    "by hand": {"steps": [], "refreshed": AFTER, "engine": engine(3)},
}


def test_later_snapshots_have_only_differences() -> None:
    cut = condensed(RECORDING, "/checkout")

    assert cut["refreshed"] == {}
    assert cut["changes"]["applied"]["updated"] == {
        "service": {"inputs": {"a": 2}, "outputs": {"a": 2, "path": "x"}},
    }
    assert cut["changes"]["previewed"] == {"steps": [{"op": "update", "name": "service", "new": {"a": 2}}]}
    assert cut["by hand"]["updated"] == cut["changes"]["applied"]["updated"]


def test_documents_are_kept_for_resources_and_without_unread_parts() -> None:
    cut = condensed(RECORDING, "/checkout")

    assert cut["engine"] == {"s1": {"ID": "s1", "Spec": 1}, "n1": {"Id": "n1"}}
    assert cut["by hand"]["engine"] == {"s1": {"ID": "s1", "Spec": 3}}


def test_the_text_has_one_line_per_property_and_no_path_of_this_machine() -> None:
    lines = text(condensed(RECORDING, "/checkout")).splitlines()

    assert '"path": "x"' in lines
    assert not any("/checkout" in line for line in lines)
    assert json.loads("".join(lines)) == condensed(RECORDING, "/checkout")
