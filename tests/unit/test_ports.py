"""A port that something else holds is reported before anything is changed."""

import itertools
import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from described import settings_for
from recorder import FRESH, Recorder

from components.ports import PublishedPort, taken_ports
from components.preflight import PreflightError
from components.probe import Container, Probe
from settings import topology


def ports(*publish: str, edge_port: int = 5001) -> Sequence[PublishedPort]:
    settings = settings_for("ab", edge_port=edge_port, monitoring={"publish": publish})
    return topology.plan(settings, stack="lab").ports


PORTS = ports("grafana", "influxdb")


def host(*listening: int, containers: tuple[Container, ...] = ()) -> Probe:
    return Probe(swarm={}, listening=frozenset(listening), containers=containers)


def container(name: str, port: int, service: str = "") -> Container:
    return Container(name=name, service=service, ports=frozenset({port}))


def problems(ports: Sequence[PublishedPort] = PORTS, **probes: Probe) -> list[str]:
    return taken_ports(ports, probes)


def test_free_ports_are_accepted() -> None:
    assert problems(a=host(22, 9000), b=host(22)) == []


def test_a_port_held_by_a_container_is_reported_with_its_name() -> None:
    assert problems(a=host(), b=host(5001, containers=(container("web", 5001),))) == [
        'b: port 5001 (edge_port) is held by the container "web": stop it, or set another edge_port'
    ]


def test_a_container_holds_its_port_even_if_no_process_listens() -> None:
    assert problems(a=host(containers=(container("web", 3000),))) == [
        (
            'a: port 3000 (monitoring.publish) is held by the container "web": '
            "stop it, or remove grafana from monitoring.publish"
        )
    ]


def test_a_port_held_by_its_own_service_is_accepted() -> None:
    edge = tuple(container("edge.n1.x", port, "edge") for port in (5001, 3000, 8086))

    assert problems(a=host(5001, 3000, 8086, containers=edge), b=host(5001, containers=edge)) == []


def test_a_port_held_by_another_service_is_reported() -> None:
    (problem,) = problems(a=host(5001, containers=(container("shop.1.x", 5001, "shop"),)))

    assert problem.startswith('a: port 5001 (edge_port) is held by the container "shop.1.x": ')


def test_a_port_held_by_an_unknown_process_is_reported_with_how_to_find_it() -> None:
    assert problems(a=host(8086), b=host()) == [
        (
            "a: port 8086 (monitoring.publish) is held by a process that publishes no container's port "
            "(`sudo ss -ltnp sport = :8086` there names it): stop it, or remove influxdb from monitoring.publish"
        )
    ]


def test_the_edge_can_move_to_another_port() -> None:
    edge = container("edge.n1.x", 5001, "edge")

    assert problems(ports(edge_port=6000), a=host(5001, containers=(edge,))) == []


def test_unpublished_services_need_no_port() -> None:
    assert problems(ports(), a=host(3000, 8086, 9090)) == []


def test_every_port_that_the_program_publishes_is_checked(
    run_program: Callable[..., Recorder], values: dict[str, Any], answers: dict[str, str]
) -> None:
    everything = {**values, "edge_port": 6000}
    everything["monitoring"] = {"publish": ["influxdb", "prometheus", "alertmanager", "grafana", "edge"]}
    recorder = run_program(everything)
    made = {
        int(port["publishedPort"])
        for service in recorder.services().values()
        for port in service["endpointSpec"].get("ports", [])
    }
    answers |= dict.fromkeys(("master", "slave"), FRESH + "".join(f"listening|{port:X}\n" for port in made))

    with pytest.raises(PreflightError) as raised:
        run_program(everything)

    reported = {
        (host, int(port)) for host, port in re.findall(r"^  (\w+): port (\d+) ", str(raised.value), re.MULTILINE)
    }
    assert reported == set(itertools.product(("master", "slave"), made))


def test_a_deployed_cluster_passes_its_own_port_check(
    run_program: Callable[..., Recorder], values: dict[str, Any], answers: dict[str, str]
) -> None:
    answers["master"] = (
        f"{FRESH}volume|influxdb-vms\nlistening|1389\nlistening|1F96\n"
        "container|edge.n1.x|edge|0.0.0.0:5001->5001/tcp\n"
        "container|edge.n1.x|edge|0.0.0.0:8086->8086/tcp\n"
    )

    assert run_program({**values, "monitoring": {"publish": ["influxdb"]}}).services()
