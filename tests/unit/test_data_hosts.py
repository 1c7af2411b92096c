"""What a host holds stays there, whatever the order of hosts; what would lose it is refused."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from recorder import FRESH, Recorder

from components.data_hosts import Data, kinds, left_behind, locate
from components.preflight import PreflightError
from components.probe import Node, Probe

Run = Callable[..., Recorder]

WHOLE = ("alertmanager", "influxdb-containers", "influxdb-vms", "prometheus-data")


def host(*volumes: str, nodes: tuple[Node, ...] = ()) -> Probe:
    return Probe(swarm={}, volumes=frozenset(volumes), nodes=nodes)


def monitoring(wanted: str | None = None) -> Data:
    return kinds(monitoring_host=wanted, storage="s3", storage_host=None)[0]


def files(storage: str, wanted: str | None = None) -> Data:
    return kinds(monitoring_host=None, storage=storage, storage_host=wanted)[1]


def test_without_data_it_is_the_first_manager() -> None:
    assert locate(monitoring(), {"a": host(), "b": host()}, default="b") == ("b", [])


def test_without_data_it_is_the_one_that_is_named() -> None:
    assert locate(monitoring("a"), {"a": host(), "b": host()}, default="b") == ("a", [])


@pytest.mark.parametrize("default", ["a", "b"])
@pytest.mark.parametrize("volume", WHOLE)
def test_the_host_that_has_data_keeps_it_whoever_is_the_first_manager(default: str, volume: str) -> None:
    assert locate(monitoring(), {"a": host(volume), "b": host("other")}, default=default) == ("a", [])


@pytest.mark.parametrize(("storage", "volume"), [("cluster", "object-store"), ("directory", "files")])
def test_so_does_the_host_that_has_files(storage: str, volume: str) -> None:
    assert locate(files(storage), {"a": host(), "b": host(volume)}, default="a") == ("b", [])


@pytest.mark.parametrize("volume", ["object-store-volume", "object-store-master-b", "prometheus-config", "files"])
def test_a_volume_that_is_nobodys_only_copy_pins_nothing(volume: str) -> None:
    assert locate(files("cluster"), {"a": host(), "b": host(volume)}, default="a") == ("a", [])
    assert locate(monitoring(), {"a": host(), "b": host(volume)}, default="a") == ("a", [])


def test_another_host_than_the_one_that_has_the_data_is_refused() -> None:
    _, problems = locate(monitoring("b"), {"a": host("influxdb-vms", "alertmanager"), "b": host()}, default="a")

    assert problems == [
        (
            'monitoring.host: "b" lacks data that is on "a" (alertmanager, influxdb-vms): '
            'set it to "a" to keep the data there, or move the data first ("Moving data" in docs/operations.md), '
            'or remove these volumes on "a" if you do not need their data'
        )
    ]


def test_a_host_to_which_the_data_was_copied_is_taken() -> None:
    assert locate(monitoring("b"), {"a": host(*WHOLE), "b": host(*WHOLE)}, default="a") == ("b", [])


def test_a_copy_that_is_not_whole_is_refused() -> None:
    _, (problem,) = locate(monitoring("b"), {"a": host(*WHOLE), "b": host(*WHOLE[:-1])}, default="a")

    assert problem.startswith('monitoring.host: "b" lacks data that is on "a" (prometheus-data): ')


def test_of_two_hosts_with_data_one_must_be_named() -> None:
    _, problems = locate(files("cluster"), {"a": host("object-store"), "b": host("object-store")}, default="a")

    assert problems == [
        (
            'file_service.storage_host: not set, and data is on "a" (object-store) and "b" (object-store): '
            "set it to the host whose data to use"
        )
    ]


def test_a_bucket_elsewhere_is_on_no_host() -> None:
    assert [data.kind for data in kinds(monitoring_host=None, storage="s3", storage_host="a")] == ["monitoring"]


def test_a_host_with_data_is_not_taken_off_the_list() -> None:
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
        "master": ours + "".join(f"volume|{volume}\n" for volume in (*WHOLE, "object-store")),
        "slave": ours,
    }

    recorder = run_program(two_managers(values, "slave", "master"))

    for service in ("prometheus", "influxdb-vms", "influxdb-containers", "alertmanager", "grafana", "object-store"):
        assert "node.labels.swarm-transfer.host==master" in placed_on(recorder, service)
    assert "swarm-transfer.holds=files,monitoring" in labels_of(recorder, "master")
    assert not [label for label in labels_of(recorder, "slave") if "holds" in label]


def test_a_refusal_comes_before_anything_is_registered(
    run_program: Run, values: dict[str, Any], answers: dict[str, str], recorder: Recorder
) -> None:
    answers["master"] = f"{FRESH}volume|prometheus-data\n"

    with pytest.raises(PreflightError, match=r'monitoring\.host: "slave" lacks data that is on "master"'):
        run_program({**values, "monitoring": {"host": "slave"}}, preview=True)

    assert recorder.resources == []


@pytest.mark.parametrize("storage", ["cluster", "directory"])
def test_every_volume_of_the_program_is_known_to_hold_data_or_not(
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
