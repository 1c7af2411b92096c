"""Condense a recording of the real providers to what the tests need: no repetitions, paths or unrelated documents."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

Values = Mapping[str, Any]


def condensed(recording: Values, checkout: str) -> dict[str, Any]:
    """Return the recording without repetitions, with paths relative to the checkout.

    A later snapshot has only the resources, and of these only the parts, that differ from the state after the first
    refresh. The same holds for a step's old outputs and new inputs.
    """
    recording = _relative(recording, f"{checkout}/")
    created, by_hand = recording["created"], recording["by hand"]
    refreshed = {**created, **recording["refreshed"]}
    return {
        "made": recording["made"],
        "plugins": recording["plugins"],
        "created": created,
        "refreshed": _changed_parts(recording["refreshed"], created),
        "engine": _documents(recording["engine"], created),
        "changes": {name: _change(change, refreshed) for name, change in recording["changes"].items()},
        "by hand": _change({**by_hand, "updated": by_hand["refreshed"]}, refreshed),
    }


def text(recording: Values) -> str:
    """Return the recording as JSON with one line per property, so that a diff between two recordings is readable."""

    def lines(value: Any, depth: int) -> str:  # noqa: ANN401 - any JSON
        if depth == 0 or not isinstance(value, dict | list) or not value:
            return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        if isinstance(value, list):
            return "[\n" + ",\n".join(lines(item, depth - 1) for item in value) + "\n]"
        items = (f"{json.dumps(key)}: {lines(item, depth - 1)}" for key, item in sorted(value.items()))
        return "{\n" + ",\n".join(items) + "\n}"

    return lines(recording, 4) + "\n"


def _change(change: Values, before: Values) -> dict[str, Any]:
    steps = [_step(step, before[step["name"]]) for step in change["steps"]]
    if "updated" not in change:
        return {"steps": steps}
    changed = {name: item for name, item in change["updated"].items() if item != before[name]}
    documents = _documents(change["engine"], changed)
    return {"steps": steps, "updated": _changed_parts(changed, before), "engine": documents}


def _step(step: Values, before: Values) -> dict[str, Any]:
    known = {"old": before["outputs"], "new": before["inputs"]}
    return {key: item for key, item in step.items() if key not in known or item != known[key]}


def _changed_parts(later: Values, earlier: Values) -> dict[str, Any]:
    return {
        name: {key: item for key, item in resource.items() if item != earlier[name][key]}
        for name, resource in later.items()
        if resource != earlier[name]
    }


def _documents(engine: Values, resources: Values) -> dict[str, Any]:
    """Return the resources' documents by id, with only the parts that a provider reads."""
    unread = ("Containers", "Peers", "PreviousSpec", "UpdateStatus")
    documents = (
        {item["ID"]: item for item in engine["service"]}
        | {item["Id"]: item for item in engine["network"]}
        | {item["Name"]: item for item in engine["volume"]}
    )
    return {
        resource["id"]: {key: item for key, item in documents[resource["id"]].items() if key not in unread}
        for resource in resources.values()
        if resource["id"] in documents
    }


def _relative(value: Any, folder: str) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, Mapping):
        return {key: _relative(item, folder) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_relative(item, folder) for item in value]
    return value.replace(folder, "") if isinstance(value, str) else value
