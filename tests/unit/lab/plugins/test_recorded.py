"""The stand-ins behave like the recorded real plugins (`python -m lab record`), property by property."""

import asyncio
import copy
import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pulumi.provider.experimental import provider
from pulumi.provider.experimental.property_value import PropertyValue

from lab.plugins import choice
from lab.plugins.command.local import Command
from lab.plugins.docker.engine_api import EngineApi
from lab.plugins.docker.files import Secret, ServiceConfig
from lab.plugins.docker.image import Image
from lab.plugins.docker.network import Network
from lab.plugins.docker.service import Service
from lab.plugins.docker.volume import Volume
from lab.plugins.resource import ResourceType, TypedProvider
from lab.plugins.values import wrap

ROOT = Path(__file__).parents[4]
RECORDING = json.loads((Path(__file__).parent / "recorded" / "docker-5.2.0-command-1.2.1.json").read_text())
CREATED = RECORDING["created"]
REFRESHED = {name: {**resource, **RECORDING["refreshed"].get(name, {})} for name, resource in CREATED.items()}
BY_HAND = RECORDING["by hand"]
CHANGES = {**RECORDING["changes"], "by hand": BY_HAND}
STEPS = [(change, step["name"], step) for change, found in CHANGES.items() for step in found["steps"]]
UPDATES = [
    (change, step["name"])
    for change, found in RECORDING["changes"].items()
    for step in found["steps"]
    if "updated" in found and step["op"] == "update"
]
CHANGED_BY_HAND = [name for name in BY_HAND["updated"] if name in {step["name"] for step in BY_HAND["steps"]}]
SERVICES = [name for name, resource in CREATED.items() if resource["type"] == "docker:index/service:Service"]
IGNORED = ["taskSpec.placement.platforms"]
"""The properties of a service that the program tells Pulumi to ignore."""

DIFFERENCES = (
    ("inputs that the program does not use (`auth`, `convergeConfig`, …)", "accepted", "refused"),
    ("reading a service after a create or update", "after a wait of two seconds or more", "immediately"),
    ("order of a service's environment variables", "changes at each update", "sorted"),
    ("privileges and generic resources of a service that were set by hand", "found by a refresh", "not found"),
    ("digest of a tag", "looked up in the registry", "not looked up"),
    ("builder of images", "BuildKit", "the classic builder"),
    ("digest of an image's build context", "computed by its own rule", "computed by another rule"),
    ("data that is not base64", "printed in the error", "not printed"),
    ("a command's output while it runs", "shown", "not shown"),
    ("`pulumi import`", "generates inputs from the existing resource", "generates none"),
)
"""Rows of subject, real plugins, stand-ins. The same table is in docs/lab.md."""

KINDS: Mapping[str, Any] = {
    "docker:index/network:Network": Network,
    "docker:index/volume:Volume": Volume,
    "docker:index/serviceConfig:ServiceConfig": ServiceConfig,
    "docker:index/secret:Secret": Secret,
    "docker:index/image:Image": Image,
    "docker:index/service:Service": Service,
}


class RecordedEngine(EngineApi):
    """An engine that has the resource, and returns its recorded document."""

    def __init__(self, resource: Mapping[str, Any], document: Any) -> None:
        self._made = {"ID": resource["id"], "Id": resource["id"]}
        self._digest = resource["outputs"].get("repoDigest")
        self._document = document
        self.sent: Any = None

    def call(self, method: str, path: str, **request: Any) -> Any:
        if path.startswith("/images/"):
            return {"Id": self._digest, "RepoDigests": []}
        if method == "POST":
            self.sent = request["json"]
            return {**self._made, **(self._document or {})}
        return self._document or {}

    def build(self, context: Any, parameters: dict[str, str]) -> None:
        pass


def kind_of(resource: Mapping[str, Any], document: Any = None) -> ResourceType:
    if resource["type"] == "command:local:Command":
        return Command()
    kind: ResourceType = KINDS[resource["type"]](RecordedEngine(resource, document))
    return kind


class Served:
    """A stand-in as Pulumi's engine talks to it."""

    def __init__(self, name: str, resource: Mapping[str, Any], document: Any = None) -> None:
        self._urn = f"urn:pulumi:lab::p::x:Parent${resource['type']}::{name}"
        self._id = resource["id"]
        self._provider = TypedProvider()
        self._provider.types = {resource["type"]: kind_of(resource, document)}

    def check(self, inputs: Any) -> Any:
        response = asyncio.run(self._provider.check(provider.CheckRequest(self._urn, {}, sent(inputs), b"1")))
        assert response.failures == []
        return received(response.inputs)

    def create(self, inputs: Any) -> Any:
        request = provider.CreateRequest(self._urn, sent(inputs), 0, preview=False)
        response = asyncio.run(self._provider.create(request))
        return response.resource_id, received(response.properties)

    def read(self, inputs: Any, outputs: Any) -> Any:
        request = provider.ReadRequest(self._urn, self._id, sent(outputs), sent(inputs))
        response = asyncio.run(self._provider.read(request))
        return received(response.inputs), received(response.properties)

    def update(self, outputs: Any, inputs: Any) -> Any:
        request = provider.UpdateRequest(self._urn, self._id, sent(outputs), sent(inputs), 0, IGNORED, preview=False)
        return received(asyncio.run(self._provider.update(request)).properties)

    def diff(self, outputs: Any, inputs: Any) -> provider.DiffResponse:
        request = provider.DiffRequest(self._urn, self._id, sent(outputs), sent(inputs), IGNORED)
        return asyncio.run(self._provider.diff(request))


def sent(values: Mapping[str, Any]) -> dict[str, PropertyValue]:
    return {key: wrap(value) for key, value in plain(values).items()}


def received(values: Mapping[str, PropertyValue] | None) -> dict[str, Any]:
    """Return plain values, including those that are null."""

    def value(wrapped: PropertyValue) -> Any:
        if isinstance(wrapped.value, Mapping):
            return received(wrapped.value)
        if isinstance(wrapped.value, tuple):
            return [value(item) for item in wrapped.value]
        return wrapped.value

    return {key: value(item) for key, item in (values or {}).items()}


def plain(value: Any) -> Any:
    """Return a value without the bridge's internal data."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items() if key not in ("__defaults", "__meta")}
    return value


def as_in_the_program(value: Any) -> Any:
    """Return recorded inputs without those that the provider filled in."""
    if isinstance(value, list):
        return [as_in_the_program(item) for item in value]
    if isinstance(value, dict):
        filled_in = {"__defaults", *value.get("__defaults", ())}
        return {key: as_in_the_program(item) for key, item in value.items() if key not in filled_in}
    return value


@pytest.fixture(autouse=True)
def checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in the checkout, since paths of images are relative to it."""
    monkeypatch.chdir(ROOT)


@pytest.fixture
def recorded_commands(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The output of commands, which are not run."""
    printed = {"stdout": "", "stderr": ""}
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 0, **printed))
    return printed


def test_the_recording_has_the_same_plugin_versions_as_the_stand_ins() -> None:
    assert RECORDING["plugins"] == dict(choice.VERSIONS)


@pytest.mark.parametrize("name", CREATED)
def test_a_check_fills_in_the_same_inputs(name: str) -> None:
    resource = CREATED[name]
    expected, inputs = plain(resource["inputs"]), as_in_the_program(resource["inputs"])
    if "data" in expected:  # it is shortened in the recording
        expected["data"] = inputs["data"] = "eA=="

    checked = Served(name, resource).check(inputs)

    if "name" not in inputs and "name" in expected:
        assert re.fullmatch(rf"{name}-[0-9a-f]{{7}}", expected.pop("name"))
        assert re.fullmatch(rf"{name}-[0-9a-f]{{7}}", checked.pop("name"))
    if "build" in checked:
        assert checked["build"].pop("contextDigest")
        assert expected["build"].pop("contextDigest")
    assert checked == expected


@pytest.mark.parametrize("name", CREATED)
def test_a_create_leaves_the_same_state(name: str, recorded_commands: dict[str, str]) -> None:
    resource = CREATED[name]
    expected = plain(resource["outputs"])
    recorded_commands |= {key: expected.get(key, "") for key in recorded_commands}

    identifier, state = Served(name, resource, RECORDING["engine"].get(resource["id"])).create(resource["inputs"])

    if resource["type"] == "command:local:Command":
        assert re.fullmatch(rf"{name}[0-9a-f]{{8}}", resource["id"])
        assert re.fullmatch(rf"{name}[0-9a-f]{{8}}", identifier)
    else:
        assert identifier == resource["id"]
    if "__inputs" in state:
        assert expected.pop("__inputs") == "(secret)"
        assert state.pop("__inputs") == plain(resource["inputs"])
    assert state == expected


def test_the_inputs_in_an_images_state_are_secret() -> None:
    resource = CREATED["files-image-master"]
    assert resource["outputs"]["__inputs"] == "(secret)"

    made = Image(RecordedEngine(resource, None))
    served = TypedProvider()
    served.types = {resource["type"]: made}
    urn = f"urn:pulumi:lab::p::x:Parent${resource['type']}::files-image-master"
    response = asyncio.run(served.create(provider.CreateRequest(urn, sent(resource["inputs"]), 0, preview=False)))

    assert response.properties is not None
    assert response.properties["__inputs"].is_secret


def with_sorted_sets(specification: dict[str, Any]) -> dict[str, Any]:
    """Sort the members of sets. The real provider writes them in Terraform's order, but Swarm ignores the order."""
    task = specification["TaskTemplate"]
    container = task["ContainerSpec"]
    for holder, kind in ((task, "Networks"), *((container, kind) for kind in ("Mounts", "Secrets", "Configs"))):
        holder[kind] = sorted(holder.get(kind, []), key=lambda item: json.dumps(item.get("Target", item)))
    task["Placement"]["Constraints"].sort()
    return specification


def assert_within(part: Any, whole: Any, path: str) -> None:
    """Assert that the whole contains the part, except for empty values."""
    if isinstance(part, dict):
        for key, item in part.items():
            assert_within(item, (whole or {}).get(key), f"{path}.{key}")
    elif isinstance(part, list) and part and isinstance(part[0], dict):
        for index, item in enumerate(part):
            assert_within(item, whole[index], f"{path}[{index}]")
    elif part:
        assert part == whole, path


@pytest.mark.parametrize("name", SERVICES)
def test_the_request_for_a_service_matches_the_recorded_document(name: str) -> None:
    document = copy.deepcopy(RECORDING["engine"][CREATED[name]["id"]]["Spec"])
    request = Service.shape.to_api(plain(CREATED[name]["inputs"]))

    assert_within(with_sorted_sets(request), with_sorted_sets(document), name)


@pytest.mark.parametrize("name", CREATED)
def test_a_refresh_finds_the_same_inputs_and_state(name: str) -> None:
    before, after = CREATED[name], REFRESHED[name]
    served = Served(name, before, RECORDING["engine"].get(before["id"], {"there": True}))

    found = served.read(before["inputs"], before["outputs"])

    assert found == (plain(after["inputs"]), plain(after["outputs"]))


@pytest.mark.parametrize("name", CHANGED_BY_HAND)
def test_a_refresh_finds_changes_made_by_hand(name: str) -> None:
    before, after = REFRESHED[name], {**REFRESHED[name], **BY_HAND["updated"][name]}
    served = Served(name, before, BY_HAND["engine"][before["id"]])

    found = served.read(before["inputs"], before["outputs"])

    assert found == (plain(after["inputs"]), plain(after["outputs"]))


@pytest.mark.parametrize(("change", "name"), UPDATES)
def test_an_update_leaves_the_same_state(change: str, name: str, recorded_commands: dict[str, str]) -> None:
    before, after = REFRESHED[name], {**REFRESHED[name], **CHANGES[change]["updated"][name]}
    expected = plain(after["outputs"])
    recorded_commands |= {key: expected.get(key, "") for key in recorded_commands}
    served = Served(name, before, CHANGES[change]["engine"].get(before["id"]))

    state = served.update(before["outputs"], after["inputs"])

    assert state == expected


@pytest.mark.parametrize(
    ("name", "step"), [step[1:] for step in STEPS], ids=[f"{step[0]}: {step[1]}" for step in STEPS]
)
def test_a_preview_has_the_same_differences(name: str, step: dict[str, Any]) -> None:
    known = REFRESHED[name]
    old, new = step.get("old", known["outputs"]), step.get("new", known["inputs"])
    if "name" in new.get("__defaults", ()):  # a replacement gets another name after the comparison
        new = {**new, "name": old["name"]}

    response = Served(name, known).diff(old, new)

    kinds = {path: detail.kind.name.lower().replace("_", "-") for path, detail in response.detailed_diff.items()}
    assert kinds == step["diff"]
    assert bool(response.replaces) == (step["op"] == "replace")
    assert response.changes is True


@pytest.mark.parametrize("name", CREATED)
@pytest.mark.parametrize("snapshot", [CREATED, REFRESHED], ids=["created", "refreshed"])
def test_a_second_preview_has_no_differences(name: str, snapshot: Any) -> None:
    resource = snapshot[name]
    outputs = plain(resource["outputs"])
    if "__inputs" in outputs:
        outputs["__inputs"] = plain(resource["inputs"])

    response = Served(name, resource).diff(outputs, CREATED[name]["inputs"])

    assert (response.changes, response.detailed_diff) == (False, {})


def test_the_differences_are_those_in_the_documentation() -> None:
    page = (ROOT / "docs" / "lab.md").read_text()
    heading = "| what | real plugins | stand-ins |"
    rows = page[page.index(heading) :].split("\n\n")[0].splitlines()[2:]

    assert rows == [f"| {' | '.join(row)} |" for row in DIFFERENCES]
    assert len(rows) == 10
