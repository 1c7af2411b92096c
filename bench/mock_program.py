"""Runs one preview of the whole program for made-up hosts, with mocks in place of Pulumi's engine and without network.

    python -m bench.mock_program HOSTS

Prints one line of JSON: the number of registered resources, the number of dependencies that they name, and the CPU
seconds of the programs that it started. `bench.growth` runs it for several numbers of hosts. To see where the time
goes, run `python -m cProfile -s cumtime -m bench.mock_program HOSTS`.
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
_SECRETS = ("operator_password", "influxdb_writer_password", "influxdb_reader_password", "postgres_password")
_HOSTS_NETWORK = IPv4Network("172.16.0.0/16")
_THREE_MANAGERS_FROM = 10


class Engine(mocks.Mocks):
    """A mock engine that answers every registration with the resource's inputs and a made-up id."""

    def __init__(self) -> None:
        self.resources = 0

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        """Count the resource. Every command outputs its name."""
        self.resources += 1
        printed = {"stdout": args.name}
        return f"{args.name}-id", {**args.inputs, **(printed if args.typ.startswith("command:") else {})}

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], None]:
        """Refuse the call, because the program calls no provider functions."""
        raise NotImplementedError(args.token)


class Monitor(mocks.MockMonitor):
    """Pulumi's mock monitor, which here also counts the dependencies that each registration names."""

    dependencies = 0

    def RegisterResource(self, request: Any) -> Any:  # noqa: ANN401, N802 - the protocol's name and types
        """Count the dependencies, then register the resource."""
        self.dependencies += len(request.dependencies)
        return super().RegisterResource(request)  # type: ignore[no-untyped-call]


def configuration(hosts: int, folder: Path) -> dict[str, Any]:
    """Return settings for this number of hosts, and write the key files that they name into `folder`.

    There is one manager, or three with ten or more hosts.
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
        # Each task needs an address on its networks, and the default subnets have only 254.
        "network": {"subnet": "10.0.64.0/20", "api_subnet": "10.0.80.0/20", "storage_subnet": "10.0.96.0/20"},
        **{name: secrets.token_urlsafe(18) for name in _SECRETS},
    }


def preview(settings: dict[str, Any]) -> tuple[Engine, Monitor]:
    """Run the program with these settings until its last registration has finished."""
    # Pulumi's mocks belong to the event loop that is current when they are set.
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
    """Run the program for the number of hosts in the first argument, and print the figures."""
    # There are no real hosts, so each one gets a new host's answer.
    vars(preflight)["ask"] = lambda *_, **__: '{"LocalNodeState": "inactive"}\nplatform|linux/amd64\n'
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
