"""The topology says, before anything is registered, what the program then registers."""

from collections.abc import Callable
from typing import Any

import pytest
from recorder import Recorder
from variants import BACKUPS, S3, SECRETS, hosts_with

import settings
from components import preflight
from settings import topology
from settings.topology import Topology

Run = Callable[..., Recorder]
NO_DATA = frozenset({"container-api", "prometheus-config"})
"""Volumes that the services and each deployment fill again."""


def described(values: dict[str, Any]) -> Topology:
    parsed = settings.parse(values)
    targets = list(settings.ssh_targets(parsed).values())
    return topology.describe(parsed, preflight.check(targets, topology.plan(parsed, stack="lab")).data_hosts)


def eligible(service: dict[str, Any], values: dict[str, Any]) -> list[str]:
    """Return the names of the hosts that meet the service's constraints."""
    constraints = service["taskSpec"]["placement"]["constraints"]
    return [
        host["name"]
        for host in values["hosts"]
        if all(
            constraint
            in (
                "node.platform.os==linux",
                f"node.role=={host['role']}",
                f"node.labels.swarm-transfer.host=={host['name']}",
            )
            for constraint in constraints
        )
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"file_service": {"storage": "directory", "storage_host": "slave"}, "monitoring": {"host": "slave"}},
        S3,
        BACKUPS,
        {**S3, **BACKUPS, "backup": {"directory": "/srv", "host": "slave"}},
        {**BACKUPS, "file_service": {"storage": "directory", "storage_host": "slave"}},
        hosts_with("worker", "manager", "manager", "manager", "manager"),
        {"monitoring": {"publish": ["influxdb", "prometheus", "alertmanager", "grafana"]}, "edge_port": 6000},
        {"monitoring": {"grafana": False}, "file_service": {"replicas": 5, "index_hosts": ["slave"]}},
    ],
    ids=[
        "default",
        "directory",
        "bucket",
        "backups",
        "backups of a bucket",
        "backups of a directory",
        "managers",
        "published",
        "without Grafana",
    ],
)
def test_the_services_are_those_that_the_program_registers(
    run_program: Run, values: dict[str, Any], changes: dict[str, Any]
) -> None:
    values |= changes
    planned = described(values).services

    registered = run_program(values, secrets=SECRETS).services()

    assert planned.keys() == registered.keys()
    for name, service in registered.items():
        found, task = planned[name], service["taskSpec"]
        mounts = task["containerSpec"].get("mounts", [])
        allowed = eligible(service, values)
        assert list(found.hosts) == allowed, name
        replicas = len(allowed) if "global" in service["mode"] else service["mode"]["replicated"]["replicas"]
        assert found.tasks == replicas, name
        assert {f"{network}-id" for network in found.networks} == {joined["id"] for joined in task["networksAdvanceds"]}
        assert found.volumes == {mount["source"] for mount in mounts if mount["type"] == "volume"} - NO_DATA, name
        ports = service["endpointSpec"].get("ports", [])
        assert found.ports == {port["publishedPort"]: port["targetPort"] for port in ports}, name


def test_the_networks_are_those_that_the_program_registers(run_program: Run, values: dict[str, Any]) -> None:
    planned = described(values).networks

    registered = run_program(values).of_type("docker:index/network:Network")

    assert {network.name: network.docker_name for network in planned} == {
        name: network["name"] for name, network in registered.items()
    }
