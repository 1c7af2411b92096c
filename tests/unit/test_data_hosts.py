"""Data stays on its host whatever the order of hosts, and settings that would lose data are refused."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from recorder import FRESH, Recorder

from components.data_hosts import Data, kinds, left_behind, locate
from components.preflight import PreflightError
from components.probe import Node, Probe

Run = Callable[..., Recorder]

MONITORING_VOLUMES = ("alertmanager", "influxdb-containers", "influxdb-vms", "prometheus-data")


def host(*volumes: str, nodes: tuple[Node, ...] = ()) -> Probe:
    return Probe(swarm={}, volumes=frozenset(volumes), nodes=nodes)


def monitoring(chosen: str | None = None) -> Data:
    return kinds(monitoring_host=chosen, storage="s3", storage_host=None)[0]


def files(storage: str, chosen: str | None = None) -> Data:
    return kinds(monitoring_host=None, storage=storage, storage_host=chosen)[1]


def test_without_data_the_default_host_is_used() -> None:
    assert locate(monitoring(), {"a": host(), "b": host()}, default="b") == ("b", [])


def test_without_data_the_host_in_the_setting_is_used() -> None:
    assert locate(monitoring("a"), {"a": host(), "b": host()}, default="b") == ("a", [])


@pytest.mark.parametrize("default", ["a", "b"])
@pytest.mark.parametrize("volume", MONITORING_VOLUMES)
def test_the_host_with_data_keeps_it_whatever_the_default(default: str, volume: str) -> None:
    assert locate(monitoring(), {"a": host(volume), "b": host("other")}, default=default) == ("a", [])


@pytest.mark.parametrize(("storage", "volume"), [("cluster", "object-store"), ("directory", "files")])
def test_the_host_with_files_keeps_them(storage: str, volume: str) -> None:
    assert locate(files(storage), {"a": host(), "b": host(volume)}, default="a") == ("b", [])


@pytest.mark.parametrize("volume", ["object-store-volume", "object-store-master-b", "prometheus-config", "files"])
def test_a_volume_without_such_data_does_not_decide_the_host(volume: str) -> None:
    assert locate(files("cluster"), {"a": host(), "b": host(volume)}, default="a") == ("a", [])
    assert locate(monitoring(), {"a": host(), "b": host(volume)}, default="a") == ("a", [])


def test_a_setting_that_names_a_host_without_the_data_is_refused() -> None:
    _, problems = locate(monitoring("b"), {"a": host("influxdb-vms", "alertmanager"), "b": host()}, default="a")

    assert problems == [
        (
            'monitoring.host: "b" lacks data that is on "a" (alertmanager, influxdb-vms): '
            'set it to "a" to keep the data there, or move the data first ("Moving data" in docs/operations.md), '
            'or remove these volumes on "a" if you do not need their data'
        )
    ]


def test_a_host_with_a_full_copy_of_the_data_is_accepted() -> None:
    assert locate(monitoring("b"), {"a": host(*MONITORING_VOLUMES), "b": host(*MONITORING_VOLUMES)}, default="a") == (
        "b",
        [],
    )


def test_a_host_with_an_incomplete_copy_is_refused() -> None:
    _, (problem,) = locate(
        monitoring("b"), {"a": host(*MONITORING_VOLUMES), "b": host(*MONITORING_VOLUMES[:-1])}, default="a"
    )

    assert problem.startswith('monitoring.host: "b" lacks data that is on "a" (prometheus-data): ')


def test_with_data_on_two_hosts_the_setting_is_required() -> None:
    _, problems = locate(files("cluster"), {"a": host("object-store"), "b": host("object-store")}, default="a")

    assert problems == [
        (
            'file_service.storage_host: not set, and data is on "a" (object-store) and "b" (object-store): '
            "set it to the host whose data to use"
        )
    ]


def test_an_external_bucket_has_no_host() -> None:
    assert [data.kind for data in kinds(monitoring_host=None, storage="s3", storage_host="a")] == ["monitoring"]


def test_removing_a_host_with_data_from_the_list_is_refused() -> None:
    nodes = (
        Node(id="n1", host="a", holds=frozenset({"monitoring"})),
        Node(id="n2", host="gone", holds=frozenset({"monitoring", "files"})),
        Node(id="n3", host="empty", holds=frozenset()),
    )

    assert left_behind({"a": host(nodes=nodes), "b": host(nodes=nodes), "w": host()}) == [
        (
            'hosts: "gone" is not on the list and holds data (files, monitoring): '
            'put it back and move the data first ("Moving data" in docs/operations.md), '
            "or, if you do not need the data, run `docker node update --label-rm swarm-transfer.holds n2` on a manager"
        )
    ]


# The whole program


def two_managers(values: dict[str, Any], *names: str) -> dict[str, Any]:
    addresses = {"master": "192.168.50.2", "slave": "192.168.50.3"}
    return {**values, "hosts": [{"name": name, "address": addresses[name], "role": "manager"} for name in names]}


def placed_on(recorder: Recorder, service: str) -> list[str]:
    return recorder.services()[service]["taskSpec"]["placement"]["constraints"]


def labels_of(recorder: Recorder, name: str) -> list[str]:
    return re.findall(r"--label-add (\S+)", recorder.commands()[f"{name}-node"]["create"])


def test_reordered_hosts_keep_their_data_in_the_whole_program(
    run_program: Run, values: dict[str, Any], answers: dict[str, str]
) -> None:
    ours = '{"LocalNodeState": "active", "ControlAvailable": true, "Cluster": {"ID": "ours"}}\nstack|lab\n'
    answers |= {
        "master": ours + "".join(f"volume|{volume}\n" for volume in (*MONITORING_VOLUMES, "object-store")),
        "slave": ours,
    }

    recorder = run_program(two_managers(values, "slave", "master"))

    for service in ("prometheus", "influxdb-vms", "influxdb-containers", "alertmanager", "grafana", "object-store"):
        assert "node.labels.swarm-transfer.host==master" in placed_on(recorder, service)
    assert "swarm-transfer.holds=files,monitoring" in labels_of(recorder, "master")
    assert not [label for label in labels_of(recorder, "slave") if "holds" in label]


def test_a_volume_on_another_host_is_another_resource(
    run_program: Run, values: dict[str, Any], recorder: Recorder
) -> None:
    """Otherwise Pulumi would only note the other host in its state, and forget the volume on the first one."""

    def volumes(host: str) -> dict[str, str]:
        recorder.resources.clear()
        moved = {"monitoring": {"host": host}, "file_service": {"storage_host": host}}
        found = run_program({**values, **moved}).of_type("docker:index/volume:Volume")
        return {name: inputs["name"] for name, inputs in found.items()}

    on_master, on_slave = volumes("master"), volumes("slave")

    assert sorted(on_master.values()) == sorted(on_slave.values())
    assert on_master.keys() & on_slave.keys() == {"object-store-master-master-data-on-master"}
    for name in on_slave:
        assert f"volume={on_slave[name]}" in recorder.commands()[f"{name}-owner"]["delete"], "deleted before the volume"


def test_a_refused_setting_registers_no_resource(
    run_program: Run, values: dict[str, Any], answers: dict[str, str], recorder: Recorder
) -> None:
    answers["master"] = f"{FRESH}volume|prometheus-data\n"

    with pytest.raises(PreflightError, match=r'monitoring\.host: "slave" lacks data that is on "master"'):
        run_program({**values, "monitoring": {"host": "slave"}}, preview=True)

    assert recorder.resources == []


@pytest.mark.parametrize("storage", ["cluster", "directory"])
def test_every_volume_of_the_program_is_classified_as_data_or_not(
    run_program: Run, values: dict[str, Any], storage: str
) -> None:
    known = frozenset.union(*(data.volumes for data in kinds(monitoring_host=None, storage=storage, storage_host=None)))
    made = {
        volume["name"]
        for volume in run_program({**values, "file_service": {"storage": storage}})
        .of_type("docker:index/volume:Volume")
        .values()
    }

    assert known <= made
    assert made - known <= {"prometheus-config", "object-store-master-master"}
