"""The example `hello` is a program of its own, which has the components from pip."""

import asyncio
import importlib
import json
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import installed
import pulumi
import pytest
import yaml
from pulumi.runtime import mocks
from pulumi.runtime.config import set_all_config
from recorder import Monitor, Recorder

EXAMPLE = installed.ROOT / "examples" / "hello"
SECRETS = {"hello:writer_password": "writer-Horse-battery", "hello:reader_password": "reader-Horse-battery"}
MONITORING = {
    "alertmanager", "cadvisor", "container-api", "docker-api", "influxdb-containers", "influxdb-vms", "node-exporter",
    "prometheus",
}  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder with the installed components, on Python's path."""
    with installed.importable(tmp_path_factory.mktemp("installed")) as folder:
        yield folder


@pytest.fixture
def hello(
    site: Path,  # noqa: ARG001 - where the example finds the components
    loop: asyncio.AbstractEventLoop,
    recorder: Recorder,
    monkeypatch: pytest.MonkeyPatch,
) -> Recorder:
    """The recorded run of the example, with its own settings."""
    readiness = importlib.import_module("swarm_transfer.components.readiness")
    monkeypatch.setattr(readiness, "wait", lambda _manager, service, **_: recorder.ready.append(service))
    monkeypatch.chdir(EXAMPLE)
    mocks.set_mocks(recorder, "hello", "dev", preview=False, monitor=Monitor(recorder))
    config: dict[str, Any] = yaml.safe_load(Path("Pulumi.dev.yaml").read_text())["config"]
    set_all_config({key: json.dumps(value) for key, value in config.items()} | SECRETS, list(SECRETS))

    async def program() -> None:
        runpy.run_path("__main__.py", run_name="__main__")

    loop.run_until_complete(pulumi.runtime.stack.run_pulumi_func(program))
    return recorder


def test_a_service_of_one_s_own_runs_with_the_monitoring(hello: Recorder) -> None:
    assert hello.services().keys() == {"hello", *MONITORING}
    assert set(hello.ready) == {"hello", *MONITORING}


def test_prometheus_scrapes_the_service_and_expects_its_tasks(hello: Recorder) -> None:
    files = hello.commands()["prometheus-files"]["stdin"]
    prometheus, expected = files.split("==> prometheus.yml <==\n")[1].split("==> rules/expected.yml <==\n")
    job = yaml.safe_load(prometheus)["scrape_configs"][-1]

    assert job["job_name"] == "hello"
    assert job["relabel_configs"][0]["regex"] == "ClusterNet;running;hello"
    assert job["relabel_configs"][1]["replacement"] == "$1:8080"
    assert "service: hello" in expected


def test_nothing_that_is_installed_needs_the_checkout(site: Path) -> None:
    package = site / "swarm_transfer"
    files = {
        path.relative_to(installed.ROOT)
        for folder in ("components", "monitoring")
        for path in (installed.ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.parent.name != "tests"
    }

    assert {file for file in files if not (package / file).is_file()} == set()
    assert (package / "components" / "py.typed").is_file()
