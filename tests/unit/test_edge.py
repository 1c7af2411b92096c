"""The edge's HAProxy configuration."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from recorder import PASSWORDS, Recorder

from components.edge_config import drain_seconds, haproxy_config, haproxy_users


def config(**changes: int) -> str:
    settings = {"port": 5001, "backend_port": 8080, "replicas": 3, "max_file_bytes": 2**30, **changes}
    return haproxy_config(backend="files", status_port=8081, **settings)


def test_scaling_within_a_step_does_not_change_the_configuration() -> None:
    assert config(replicas=3) == config(replicas=64)


def test_there_is_a_slot_for_every_replica() -> None:
    for replicas in (1, 64, 65, 1000):
        (slots,) = re.findall(r"server-template replica 1-(\d+) ", config(replicas=replicas))
        assert int(slots) >= replicas


@pytest.mark.parametrize("edges", [1, 2, 10, 11, 50, 200, 1000])
def test_a_replica_answers_few_checks_a_second_whatever_the_number_of_edges(edges: int) -> None:
    (interval,) = re.findall(r" inter (\d+)s fastinter 1s fall 2 ", config(edges=edges))

    assert edges / int(interval) <= 10
    assert int(interval) == 1 or edges > 10
    assert drain_seconds(edges) > int(interval) + 1, "a replica drains until the second failed check"


def test_a_few_more_edges_change_no_interval() -> None:
    assert config(edges=41) == config(edges=80)


def test_the_health_check_and_the_consoles_have_connections_of_their_own() -> None:
    def limits(**changes: int) -> list[int]:
        return [int(number) for number in re.findall(r"^  maxconn (\d+)$", config(**changes), re.MULTILINE)]

    for changes in ({}, {"statistics_port": 8405}):
        everything, *parts = limits(**changes)
        assert everything == sum(parts)
    assert len(limits(statistics_port=8405)) == 4


def test_what_one_address_may_use_is_a_setting(run_once: Callable[..., Recorder], values: dict[str, Any]) -> None:
    limits = {"connections": 11, "requests": 12, "errors": 13}
    recorder = run_once({**values, "edge_limits": limits})

    for rule in ("sc0_conn_cur gt 11", "sc1_conn_cur gt 11", "sc1_http_req_rate gt 12", "sc1_http_err_rate gt 13"):
        assert rule in recorder.config("edge-config")


def test_the_operator_s_password_is_hashed_and_the_list_stays_the_same(
    run_program: Callable[..., Recorder], recorder: Recorder, values: dict[str, Any]
) -> None:
    def users() -> str:
        recorder.resources.clear()
        return run_program(values).secret("edge-operators")

    first = users()

    assert " password '$6$rounds=1000$" in first
    assert PASSWORDS["operator_password"] not in first
    assert users() == first


def test_haproxy_accepts_the_configuration(tmp_path: Path, program: Callable[[str], str]) -> None:
    (tmp_path / "operators.cfg").write_text(haproxy_users('a"strange\\#but-long-$password', deployment="test"))
    (tmp_path / "haproxy.cfg").write_text(config())
    command = [program("haproxy"), "-c", "-f", str(tmp_path / "operators.cfg"), "-f", str(tmp_path / "haproxy.cfg")]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
