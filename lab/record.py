"""Record how the real provider plugins behave with this program. Tests compare the stand-ins with the recording.

    python -m lab record FILE

This starts hosts of its own, deploys, refreshes, previews and applies changes. After each step it records the state and
the engines' documents. It takes some minutes, and needs the real plugins in the Pulumi home. The file contains no
secrets, and long texts are shortened.
"""

import datetime as dt
import hashlib
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from lab import configuration, demo, engine, stack
from lab.packages import LabError
from lab.paths import Lab
from lab.plugins import choice
from lab.progress import step
from lab.recording import condensed, text

_ENCRYPTED = "4dabf18193072939515e22adb298388d"
"""The key that marks an encrypted value in Pulumi's state."""

_LONG = 300
"""Texts with more characters than this are shortened."""

_CHANGES: Mapping[str, Mapping[str, Any]] = {
    "one replica more": {"file_service": {"replicas": 4}},
    "a smaller limit": {"file_service": {"max_file_bytes": 1000}},
    "nothing published": {"monitoring": {"publish": []}},
    "another network": {"network": {"subnet": "10.0.20.0/24"}},
    "other masters' copies": {"file_service": {"copies": 1}},
}
"""The changes to preview, by name: settings that override the lab's own."""

_APPLIED = ("one replica more", "a smaller limit")

_BY_HAND = (
    "node-exporter --constraint-add node.hostname==master",
    "alertmanager --env-add A=b --limit-memory 100m --cap-add NET_ADMIN --mount-add type=tmpfs,destination=/x",
    "docker-api --publish-add published=7777,target=9,mode=host --host-add other:10.9.9.9 --restart-delay 9s",
    "influxdb-vms --health-retries 9 --stop-grace-period 2m --update-parallelism 3 --group-add 4 --hostname other",
    "files --replicas 2",
)
"""Arguments of `docker service update`: changes made by hand before a refresh."""


def record(lab: Lab, file: Path) -> None:
    """Deploy with the real plugins and write the recording to the file.

    Raises:
        LabError: a plugin is a stand-in, or a step failed.
    """
    with engine.exclusive(lab):
        demo.discard_hosts(lab)
        tools = demo.prepare(lab)
        homes = stack.pulumi_home(lab) / "plugins"
        for name, version in choice.VERSIONS.items():
            if not (homes / f"resource-{name}-v{version}" / f"pulumi-resource-{name}").is_symlink():
                raise LabError(f"the plugin {name} is a stand-in: install the real one in the Pulumi home")
        recording = _Recorder(lab, tools).run()
        engine.remove(lab)
    file.write_text(text(condensed(recording, str(lab.checkout))))
    print(f"written: {file}")


class _Recorder:
    def __init__(self, lab: Lab, tools: Path) -> None:
        self._lab = lab
        self._tools = tools
        self._settings = lab.config_file.read_text()

    def run(self) -> dict[str, Any]:
        recording: dict[str, Any] = {
            "made": dt.datetime.now(dt.UTC).date().isoformat(),
            "plugins": dict(choice.VERSIONS),
        }
        with step("up"):
            self._pulumi("up", "--yes", "--skip-preview")
            recording["created"] = self._state()
            recording["engine"] = self._engine()
        with step("refresh"):
            self._pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes")
            recording["refreshed"] = self._state()
        recording["changes"] = {name: self._change(name, settings) for name, settings in _CHANGES.items()}
        with step("changes by hand"):
            for words in _BY_HAND:
                self._on_manager(f"docker service update --detach --quiet {words} >/dev/null")
            drift: dict[str, Any] = {"engine": self._engine()}
            self._pulumi("refresh", "--yes", "--skip-preview")
            drift |= {"refreshed": self._state(), "steps": self._preview()}
            recording["by hand"] = drift
        shortened: dict[str, Any] = _shortened(recording)
        return shortened

    def _change(self, name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        with step(name):
            keys = {configuration.key(key): value for key, value in settings.items()}
            changed = configuration.compose(yaml.safe_load(self._settings), {"config": keys})
            self._lab.config_file.write_text(yaml.safe_dump(changed, sort_keys=False))
            found: dict[str, Any] = {"steps": self._preview()}
            if name in _APPLIED:
                self._pulumi("up", "--yes", "--skip-preview")
                found |= {"updated": self._state(), "engine": self._engine()}
            self._lab.config_file.write_text(self._settings)
            if name in _APPLIED:
                self._pulumi("up", "--yes", "--skip-preview")
        return found

    def _pulumi(self, *arguments: str) -> str:
        return stack.pulumi(self._lab, self._tools, *arguments).stdout

    def _preview(self) -> list[dict[str, Any]]:
        """Return the steps of a preview, with the old state and the new inputs of each resource."""
        printed = self._pulumi("preview", "--json")
        return [
            {
                "op": planned["op"],
                "name": planned["urn"].rpartition("::")[2],
                "type": planned["newState"]["type"],
                "diff": {path: detail["kind"] for path, detail in (planned.get("detailedDiff") or {}).items()},
                "old": planned["oldState"].get("outputs", {}) if "oldState" in planned else None,
                "new": planned["newState"].get("inputs", {}),
            }
            for planned in json.loads(printed[printed.index("{") :])["steps"]
            if planned["op"] != "same" and not planned["newState"]["type"].startswith("pulumi:")
        ]

    def _state(self) -> dict[str, Any]:
        """Return the inputs and outputs of all resources of the two providers, by name."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "state.json"
            self._pulumi("stack", "export", "--file", str(file))
            resources = json.loads(file.read_text())["deployment"]["resources"]
        return {
            resource["urn"].rpartition("::")[2]: {
                key: resource[key] for key in ("type", "id", "inputs", "outputs") if key in resource
            }
            for resource in resources
            if resource["type"].startswith(("docker:", "command:"))
        }

    def _engine(self) -> dict[str, Any]:
        """Return the manager's documents: the swarm's services and networks, and the manager's own volumes."""
        documents = {}
        for kind in ("service", "network", "volume"):
            documents[kind] = json.loads(
                self._on_manager(f"docker {kind} ls --quiet | xargs docker {kind} inspect --format json")
            )
        return documents

    def _on_manager(self, script: str) -> str:
        hosts = yaml.safe_load(self._settings)["config"]["swarm-transfer:hosts"]
        return demo.ask_host(self._lab, hosts[0]["address"], script)


def _shortened(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Remove secrets and the bridge's internal data, and shorten long texts so that equal ones stay equal."""
    if isinstance(value, Mapping):
        if _ENCRYPTED in value or value.get(_ENCRYPTED):
            return "(secret)"
        return {key: _shortened(item) for key, item in value.items() if key != "__pulumi_raw_state_delta"}
    if isinstance(value, list):
        return [_shortened(item) for item in value]
    if isinstance(value, str) and len(value) > _LONG:
        return f"{value[:40]}… ({len(value)} characters, {hashlib.sha256(value.encode()).hexdigest()[:12]})"
    return value
