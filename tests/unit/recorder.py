"""A mock of Pulumi's engine that records every resource."""

import base64
import itertools
import json
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pulumi.runtime import mocks, rpc
from pulumi.runtime.config import set_all_config

from components.ssh import SshTarget

PASSWORD = "correct-Horse-battery"
PASSWORDS = {
    "operator_password": PASSWORD,
    "influxdb_writer_password": "writer-Horse-battery",
    "influxdb_reader_password": "reader-Horse-battery",
    "postgres_password": "postgres-Horse-battery",
}

FRESH = '{"LocalNodeState": "inactive"}\nplatform|linux/amd64\n'
"""The probe's output on a host that is in no swarm and has no data."""


@dataclass
class Recorder(mocks.Mocks):
    """A mock engine that answers every registration with the resource's inputs and records it."""

    resources: list[mocks.MockResourceArgs] = field(default_factory=list)
    ready: list[str] = field(default_factory=list)
    """The services and URLs that the program waited for, in order."""
    gone: dict[str, list[str]] = field(default_factory=dict)
    """The hosts on which the program wants nothing to run, by stack."""
    dependencies: dict[str, set[str]] = field(default_factory=dict)
    """Maps a resource's name to the names of its dependencies."""

    def record_gone(self, targets: Iterable[SshTarget], stack: str) -> None:
        self.gone[stack] = [host.name for host in targets]

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        self.resources.append(args)
        outputs = dict(args.inputs)
        if args.typ == "command:local:Command":
            role = "manager" if "ROLE=manager\n" in str(args.inputs.get("create")) else "worker"
            outputs["stdout"] = f"SWMTKN-{role}\n" if args.name.endswith("-token") else f"{args.name}-output"
        if args.typ == "docker:index/image:Image":
            outputs["repoDigest"] = f"{args.inputs['imageName']}@sha256:{'0' * 64}"
        return f"{args.name}-id", outputs

    def call(self, args: mocks.MockCallArgs) -> dict[str, Any]:
        raise AssertionError(f"the program calls no provider function: {args.token}")

    def of_type(self, typ: str) -> dict[str, dict[str, Any]]:
        """Return the inputs of all resources of one type, by logical name."""
        return {args.name: args.inputs for args in self.resources if args.typ == typ}

    def commands(self) -> dict[str, dict[str, Any]]:
        return self.of_type("command:local:Command")

    def environment(self, service: str) -> dict[str, str]:
        """Return the variables that a service's command line sets with `env`."""
        first, *words = self.services()[service]["taskSpec"]["containerSpec"]["commands"]
        assert first == "env"
        return dict(word.split("=", 1) for word in itertools.takewhile(lambda word: "=" in word, words))

    def services(self) -> dict[str, dict[str, Any]]:
        return self.of_type("docker:index/service:Service")

    def config(self, name: str) -> str:
        """Return the text of a Docker config."""
        return base64.b64decode(self.of_type("docker:index/serviceConfig:ServiceConfig")[name]["data"]).decode()

    def secret(self, name: str) -> str:
        """Return the text of a Docker secret; fail if Pulumi does not know that it is one."""
        return base64.b64decode(revealed(self.of_type("docker:index/secret:Secret")[name]["data"])).decode()


def configure(values: Mapping[str, Any], secrets: Iterable[str]) -> None:
    """Set the program's configuration as Pulumi does; `secrets` are the encrypted keys."""
    texts = {
        f"swarm-transfer:{key}": value if isinstance(value, str) else json.dumps(value) for key, value in values.items()
    }
    set_all_config(texts, [f"swarm-transfer:{key}" for key in secrets])


class Monitor(mocks.MockMonitor):
    """Pulumi's mock monitor, which here also records dependencies, because the mocks do not receive them."""

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the protocol's name
        self.mocks.dependencies[request.name] = {urn.rpartition("::")[2] for urn in request.dependencies}
        return super().RegisterResource(request)


def inputs_of(script: str) -> tuple[dict[str, str], list[str]]:
    """Return the variables and the arguments that a script for a host begins with."""
    variables: dict[str, str] = {}
    for line in script.splitlines():
        words = shlex.split(line)
        if words[:2] == ["set", "--"]:
            return variables, words[2:]
        if not re.match(r"[A-Z_]+=", line):
            break
        name, _, value = words[0].partition("=")
        variables[name] = value
    return variables, []


def revealed(value: Any) -> Any:
    """Return the value of a secret property; fail if the property is not a secret."""
    assert isinstance(value, dict), f"not a secret: {value}"
    assert value.get(rpc._special_sig_key) == rpc._special_secret_sig, f"not a secret: {value}"
    return value["value"]
