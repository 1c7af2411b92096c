"""Fixtures that run the program with a mock engine: it records every registration, and no host is contacted."""

import asyncio
import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi.runtime import mocks
from recorder import FRESH, PASSWORDS, Monitor, Recorder, configure

from components import preflight, readiness, ssh
from components.ssh import SshTarget

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield loop
    loop.close()
    asyncio.set_event_loop(None)


@pytest.fixture
def answers() -> dict[str, str]:
    """The probe's output for each host that is not fresh, by the host's name."""
    return {}


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch, answers: dict[str, str]) -> Recorder:
    recorder = Recorder()
    monkeypatch.setattr(readiness, "wait", lambda _manager, service, **_: recorder.ready.append(service))
    monkeypatch.setattr(readiness, "wait_for_answers", lambda _manager, urls, **_: recorder.ready.extend(urls))
    monkeypatch.setattr(preflight, "ask", lambda host, _, **__: answers.get(host.name, FRESH))
    # Not the program's own, which would change the file in the checkout.
    monkeypatch.setattr(ssh, "record_gone", recorder.record_gone)
    return recorder


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, str]:
    """The `ssh` settings, with a known_hosts file that has five hosts."""
    private_key, known_hosts = tmp_path / "id_ed25519", tmp_path / "known_hosts"
    private_key.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    public = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFkZVzupcfkEposj1yPcY3nRNTmnUXA+f87U0MSgteFx"
    known_hosts.write_text("".join(f"192.168.50.{number} {public}\n" for number in range(2, 7)))
    return {"user": "vagrant", "private_key_file": str(private_key), "known_hosts_file": str(known_hosts)}


@pytest.fixture
def values(keys: dict[str, str]) -> dict[str, Any]:
    """The settings of the two default hosts."""
    return {
        "private_cidr": "192.168.50.0/24",
        "hosts": [
            {"name": "master", "address": "192.168.50.2", "role": "manager", "cpus": 2, "memory": 4096},
            {"name": "slave", "address": "192.168.50.3", "role": "worker", "cpus": 1, "memory": 2048},
        ],
        "ssh": keys,
        **PASSWORDS,
    }


@pytest.fixture
def run_program(
    loop: asyncio.AbstractEventLoop, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Recorder]:
    """A function that runs the whole program with some settings, and returns after its last registration."""

    def run(
        values: dict[str, Any],
        *,
        preview: bool = False,
        secrets: tuple[str, ...] = tuple(PASSWORDS),
        checkout: Path = ROOT,
    ) -> Recorder:
        monkeypatch.chdir(checkout)
        mocks.set_mocks(recorder, "swarm-transfer", "lab", preview, monitor=Monitor(recorder))
        configure(values, secrets)

        async def program() -> None:
            runpy.run_path(str(checkout / "__main__.py"), run_name="__main__")

        loop.run_until_complete(pulumi.runtime.stack.run_pulumi_func(program))
        return recorder

    return run


@pytest.fixture
def target(tmp_path: Path) -> SshTarget:
    return SshTarget(
        name="master",
        address="192.168.50.2",
        user="vagrant",
        private_key_file=tmp_path / "id_ed25519",
        known_hosts_file=tmp_path / "known_hosts",
    )
