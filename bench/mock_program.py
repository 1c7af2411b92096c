"""The whole program for so many made-up hosts, with mocks in place of Pulumi's engine: one preview, no network.

    python -m bench.mock_program HOSTS

Prints one line of JSON: how many resources were registered, how many dependencies they name, and the CPU seconds of the
programs that were started. `bench.growth` runs it for several sizes; `python -m cProfile -s cumtime -m` before its name
shows where the time goes.
"""

import asyncio
import base64
import json
import os
import resource
import runpy
import secrets
import sys
import tempfile
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pulumi
from pulumi.runtime import mocks
from pulumi.runtime.config import set_all_config

from components import preflight

ROOT = Path(__file__).parent.parent
_PROJECT = "swarm-transfer"
_SECRETS = ("operator_password", "influxdb_writer_password", "influxdb_reader_password", "storage_key")
_HOSTS_NETWORK = IPv4Network("172.16.0.0/16")
_THREE_MANAGERS_FROM = 10


class Engine(mocks.Mocks):
    """Answers every registration with its own inputs and a made-up id."""

    def __init__(self) -> None:
        self.resources = 0

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        """Count the resource; every command prints text that is JSON, since join tokens are read as such."""
        self.resources += 1
        printed = {"stdout": json.dumps({"worker": "worker-token", "manager": "manager-token"})}
        return f"{args.name}-id", {**args.inputs, **(printed if args.typ.startswith("command:") else {})}

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], None]:
        """Refuse: the program calls no function of a provider."""
        raise NotImplementedError(args.token)


class Monitor(mocks.MockMonitor):
    """Pulumi's own, which also counts the dependencies that each registration names."""

    dependencies = 0

    def RegisterResource(self, request: Any) -> Any:  # noqa: ANN401, N802 - the protocol's name and types
        """Register as Pulumi's own does."""
        self.dependencies += len(request.dependencies)
        return super().RegisterResource(request)  # type: ignore[no-untyped-call]


def configuration(hosts: int, folder: Path) -> dict[str, Any]:
    """Settings of so many hosts; `folder` gets the key files that they name.

    One manager, or three from ten hosts on.
    """
    addresses = [str(_HOSTS_NETWORK[number]) for number in range(2, hosts + 2)]
    managers = 3 if hosts >= _THREE_MANAGERS_FROM else 1
    (folder / "id_ed25519").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    (folder / "known_hosts").write_text("".join(f"{address} {_public_key()}\n" for address in addresses))
    return {
        "private_cidr": str(_HOSTS_NETWORK),
        "hosts": [
            {"name": f"host-{number}", "address": address, "role": "manager" if number < managers else "worker"}
            for number, address in enumerate(addresses)
        ],
        "ssh": {"private_key_file": str(folder / "id_ed25519"), "known_hosts_file": str(folder / "known_hosts")},
        # Every service on every host needs an address: the default has 254.
        "network": {"subnet": "10.0.64.0/20", "api_subnet": "10.0.80.0/20", "storage_subnet": "10.0.96.0/20"},
        **{name: secrets.token_urlsafe(18) for name in _SECRETS},
    }


def preview(settings: dict[str, Any]) -> tuple[Engine, Monitor]:
    """Run the program with these settings until its last registration has landed."""
    # Pulumi's mocks belong to the loop that is current when they are set.
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    engine = Engine()
    monitor = Monitor(engine)
    mocks.set_mocks(engine, _PROJECT, "growth", preview=True, monitor=monitor)
    texts = {
        f"{_PROJECT}:{key}": value if isinstance(value, str) else json.dumps(value) for key, value in settings.items()
    }
    set_all_config(texts, [f"{_PROJECT}:{key}" for key in _SECRETS])

    async def program() -> None:
        runpy.run_path(str(ROOT / "__main__.py"), run_name="__main__")

    loop.run_until_complete(pulumi.runtime.stack.run_pulumi_func(program))
    loop.close()
    return engine, monitor


def main() -> None:
    """Run it for as many hosts as the first argument says."""
    # There are no hosts to ask: each answers as a new one does.
    vars(preflight)["ask"] = lambda *_, **__: '{"LocalNodeState": "inactive"}\n'
    os.chdir(ROOT)
    with tempfile.TemporaryDirectory() as folder:
        engine, monitor = preview(configuration(int(sys.argv[1]), Path(folder)))
    programs = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        json.dumps(
            {
                "resources": engine.resources,
                "dependencies": monitor.dependencies,
                "programs_cpu_seconds": programs.ru_utime + programs.ru_stime,
            }
        )
    )


def _public_key() -> str:
    body = b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + secrets.token_bytes(32)
    return f"ssh-ed25519 {base64.b64encode(body).decode()}"


if __name__ == "__main__":
    main()
