"""Many hosts, or slow ones, are updated and waited for as their number and their speed need."""

import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from recorder import Recorder

from components import commands, readiness, swarm_service
from components.durations import go_duration
from components.swarm import wait_seconds
from components.swarm_service import Healthcheck, at_a_time

Run = Callable[..., Recorder]


@pytest.fixture
def programs(tmp_path: Path) -> Callable[..., Callable[[str], str]]:
    """A function that replaces programs by scripts, and returns one that runs a script for hosts with them."""

    def install(**scripts: str) -> Callable[[str], str]:
        for name, text in scripts.items():
            (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
            (tmp_path / name).chmod(0o755 | stat.S_IXUSR)
        path = {"PATH": f"{tmp_path}:/usr/bin:/bin", "SEEN": str(tmp_path / "seen")}

        def run(script: str) -> str:
            return subprocess.run(["sh", "-s"], input=script, env=path, stdout=-1, text=True, check=True).stdout

        return run

    return install


@pytest.mark.parametrize(("hosts", "expected"), [(1, 1), (2, 1), (19, 1), (20, 2), (50, 5), (200, 20)])
def test_a_tenth_of_a_global_services_tasks_is_replaced_at_a_time(hosts: int, expected: int) -> None:
    assert at_a_time(hosts, replicated=False, in_turn=False) == expected
    assert at_a_time(hosts, replicated=False, in_turn=True) == 1
    assert at_a_time(hosts, replicated=True, in_turn=False) == 1


def test_volume_servers_are_replaced_one_after_the_other(
    run_program: Run, values: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two at a time could be all that have a chunk. With as many parts as hosts, all others are replaced together."""
    monkeypatch.setattr(swarm_service, "_PARTS", 1)

    services = run_program(values).services()

    together = {name for name, service in services.items() if service["updateConfig"]["parallelism"] == 2}
    assert together == {name for name, service in services.items() if "global" in service["mode"]} - {
        "object-store-volume"
    }


@pytest.mark.parametrize(("rounds", "expected"), [(1, 300), (10, 300), (11, 600), (50, 1500)])
def test_the_time_to_wait_grows_with_the_rounds_of_an_update(rounds: int, expected: int) -> None:
    assert wait_seconds(300, patience=1, rounds=rounds) == expected
    assert wait_seconds(300, patience=4, rounds=rounds) == 4 * expected


def test_patience_multiplies_all_times_of_a_check_but_not_the_number_of_tries() -> None:
    check = Healthcheck(command=["true"], interval=2, timeout=3, retries=3, start_period=60)

    assert check.for_slow_hosts(5) == Healthcheck(
        command=["true"], interval=10, timeout=15, retries=3, start_period=300
    )


def test_slow_hosts_have_patient_health_checks_and_a_strict_edge(
    run_program: Run, values: dict[str, Any], recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    timeouts: set[int] = set()
    monkeypatch.setattr(readiness, "wait", lambda *_, timeout, **__: timeouts.add(timeout))
    checks = ("interval", "timeout", "startPeriod")

    def times() -> dict[str, list[str]]:
        recorder.resources.clear()
        return {
            name: [service["taskSpec"]["containerSpec"]["healthcheck"][check] for check in checks]
            for name, service in run_program(values).services().items()
        }

    before, edge = times(), recorder.of_type("docker:index/serviceConfig:ServiceConfig")["edge-config"]
    values["patience"] = 3
    after = times()

    assert before["edge"] == ["2s", "3s", "20s"]
    assert after["edge"] == ["6s", "9s", "1m"]
    (seconds,) = recorder.services()["files"]["taskSpec"]["containerSpec"]["healthcheck"]["tests"][-1:]
    assert (seconds, after["files"]) == ("12", ["15s", "15s", "1m"]), "the check's own time is less than Docker's"
    assert after["prometheus"][-1] == go_duration(900)
    assert all(before[name] != after[name] for name in before)
    assert recorder.of_type("docker:index/serviceConfig:ServiceConfig")["edge-config"] == edge
    assert timeouts == {300, 900}
    assert "HEARTBEAT=15" in recorder.commands()["master-membership"]["create"]
    assert "ConnectTimeout=45" in recorder.commands()["master-membership"]["interpreter"]


def test_the_edges_image_is_pulled_before_the_edge_is_stopped(run_once: Run, values: dict[str, Any]) -> None:
    recorder = run_once(values)

    image = recorder.services()["edge"]["taskSpec"]["containerSpec"]["image"]
    for host in ("master", "slave"):
        assert recorder.commands()[f"{host}-images"]["create"] == commands.pull_images([image])
        assert f"{host}-images" in recorder.dependencies[f"{host}-membership"]
        assert f"{host}-node" in recorder.dependencies["edge"]


def test_only_missing_images_are_pulled_and_a_failed_pull_is_left_to_swarm(
    programs: Callable[..., Callable[[str], str]], tmp_path: Path
) -> None:
    run = programs(
        docker='echo "$*" >>"$SEEN"\ncase $* in "image inspect present" | "pull --quiet missing") ;; *) exit 1 ;; esac'
    )

    run(commands.pull_images(["present", "missing", "private"]))

    assert [line for line in (tmp_path / "seen").read_text().splitlines() if line.startswith("pull")] == [
        "pull --quiet missing",
        "pull --quiet private",
    ]


def test_hosts_are_asked_together_and_the_silent_ones_are_printed(
    programs: Callable[..., Callable[[str], str]],
) -> None:
    """Each curl answers only once the first twenty have begun, and gives up after many looks."""
    run = programs(
        curl="for url; do :; done\n"
        'echo >>"$SEEN"; looks=0\n'
        'until [ $(wc -l <"$SEEN") -ge 20 ]; do looks=$((looks + 1)); [ $looks -lt 3000 ] || exit 22; done\n'
        "case $url in *7) exit 22 ;; esac"
    )
    urls = [f"http://h{number}" for number in range(30)]

    assert sorted(run(commands.print_unanswered(urls)).split()) == ["http://h17", "http://h27", "http://h7"]
