"""Fixtures that run the program with a mock engine: it records every registration, and no host is contacted."""

import asyncio
import copy
import gc
import json
import os
import runpy
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pulumi
import pytest
from pulumi.runtime import mocks
from pulumi.runtime.proto import source_pb2
from recorder import FRESH, PASSWORDS, Monitor, Recorder, configure

from components import preflight, readiness, ssh
from components.ssh import SshTarget
from monitoring import configuration

ROOT = Path(__file__).parent.parent.parent
_DUMP = configuration._dump


@pytest.fixture
def docker(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a host whose `docker` is the script DOCKER of the test's module."""
    (tmp_path / "docker").write_text(request.module.DOCKER)
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path


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
    _replace_hosts(monkeypatch, recorder, answers)
    return recorder


def _replace_hosts(patch: pytest.MonkeyPatch, recorder: Recorder, answers: Mapping[str, str]) -> None:
    """Let the program ask and wait for no host."""
    patch.setattr(readiness, "wait", lambda _manager, service, **_: recorder.ready.append(service))
    patch.setattr(readiness, "wait_for_answers", lambda _manager, urls, **_: recorder.ready.extend(urls))
    patch.setattr(preflight, "ask", lambda host, _, **__: answers.get(host.name, FRESH))
    # Not the program's own, which would change the file in the checkout.
    patch.setattr(ssh, "record_gone", recorder.record_gone)


@pytest.fixture(scope="session")
def keys_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a private key and a known_hosts file that has five hosts. No test may change them."""
    folder = tmp_path_factory.mktemp("keys")
    (folder / "id_ed25519").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    public = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFkZVzupcfkEposj1yPcY3nRNTmnUXA+f87U0MSgteFx"
    (folder / "known_hosts").write_text("".join(f"192.168.50.{number} {public}\n" for number in range(2, 7)))
    return folder


@pytest.fixture
def keys(keys_folder: Path) -> dict[str, str]:
    """The `ssh` settings."""
    return {
        "user": "vagrant",
        "private_key_file": str(keys_folder / "id_ed25519"),
        "known_hosts_file": str(keys_folder / "known_hosts"),
    }


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
        _run(monkeypatch, loop, recorder, values, preview=preview, secrets=secrets, checkout=checkout)
        return recorder

    return run


@pytest.fixture(scope="session")
def run_once() -> Callable[..., Recorder]:
    """A function that returns the recorded run of the whole program with some settings, on fresh hosts.

    A run takes a second or more, so tests with the same settings get copies of one run. A test that changes anything
    else than the settings uses `run_program`.
    """
    runs: dict[str, Recorder] = {}

    def run(values: dict[str, Any], *, secrets: tuple[str, ...] = tuple(PASSWORDS)) -> Recorder:
        key = json.dumps([values, sorted(secrets)], sort_keys=True)
        if key not in runs:
            recorder, loop = Recorder(), asyncio.new_event_loop()
            with pytest.MonkeyPatch.context() as patch:
                _replace_hosts(patch, recorder, {})
                asyncio.set_event_loop(loop)
                _run(patch, loop, recorder, values, preview=False, secrets=secrets, checkout=ROOT)
                asyncio.set_event_loop(None)
            loop.close()
            runs[key] = recorder
        return copy.deepcopy(runs[key])

    return run


def _run(
    patch: pytest.MonkeyPatch,
    loop: asyncio.AbstractEventLoop,
    recorder: Recorder,
    values: dict[str, Any],
    *,
    preview: bool,
    secrets: tuple[str, ...],
    checkout: Path,
) -> None:
    patch.chdir(checkout)
    # A resource's position in the source is not recorded, and a fifth of the time of a run goes into pytest's frames.
    patch.setattr(pulumi.runtime.resource, "_get_stack_trace", source_pb2.StackTrace)
    # Pulumi would look at all outputs again whenever one is known, which takes a quarter of the time of a run.
    waiting = SimpleNamespace(**{**vars(asyncio), "wait": _wait_for_all})
    patch.setattr(pulumi.runtime.stack, "asyncio", waiting)
    mocks.set_mocks(recorder, "swarm-transfer", "lab", preview, monitor=Monitor(recorder))
    configure(values, secrets)

    patch.setattr(configuration, "_dump", lambda document: _dumped(json.dumps(document)))

    async def program() -> None:
        runpy.run_path(str(checkout / "__main__.py"), run_name="__main__")

    gc.disable()  # a run makes many objects that stay, and looking at all of them takes a quarter of its time
    try:
        loop.run_until_complete(pulumi.runtime.stack.run_pulumi_func(program))
    finally:
        gc.enable()


@cache
def _dumped(document: str) -> str:
    """Return a document as YAML. Most of Prometheus's files are the same in every run, and PyYAML is slow."""
    return _DUMP(json.loads(document))


async def _wait_for_all(tasks: list[asyncio.Task[Any]], **_: str) -> tuple[set[Any], set[Any]]:
    """Wait until all tasks have ended or one has failed."""
    return await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)


@pytest.fixture
def target(tmp_path: Path) -> SshTarget:
    return SshTarget(
        name="master",
        address="192.168.50.2",
        user="vagrant",
        private_key_file=tmp_path / "id_ed25519",
        known_hosts_file=tmp_path / "known_hosts",
    )
