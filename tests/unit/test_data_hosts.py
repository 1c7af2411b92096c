"""Data stays on its host whatever the order of hosts, and settings that would lose data are refused."""

from collections.abc import Callable
from typing import Any

import pytest
from described import settings_for
from recorder import FRESH, Recorder, inputs_of
from variants import BUCKET, S3, SECRETS

from components.data_hosts import CopiedData, Data, left_behind, locate
from components.preflight import PreflightError
from components.probe import Node, Probe
from settings import Settings, topology

Run = Callable[..., Recorder]

MONITORING_VOLUMES = ("alertmanager", "influxdb-containers", "influxdb-vms", "prometheus-data")


def host(*volumes: str, nodes: tuple[Node, ...] = ()) -> Probe:
    return Probe(swarm={}, volumes=frozenset(volumes), nodes=nodes)


def data(settings: Settings) -> dict[str, Data | CopiedData]:
    return {found.kind: found for found in topology.plan(settings, stack="lab").data}


def monitoring(chosen: str | None = None, *, default: str = "a") -> Data | CopiedData:
    managers = sorted("ab", key=lambda name: name != default)
    return data(settings_for(managers, monitoring={"host": chosen}))["monitoring"]


def files() -> Data | CopiedData:
    return data(settings_for("ab", file_service={"storage": "directory"}))["files"]


def index(chosen: list[str] | None = None, *, managers: str = "a", workers: str = "bcd") -> Data | CopiedData:
    return data(settings_for(managers, workers, file_service={"copies": 1, "index_hosts": chosen}))["index"]


def test_without_data_the_default_host_is_used() -> None:
    assert locate(monitoring(default="b"), {"a": host(), "b": host()}) == (["b"], [])


def test_without_data_the_host_in_the_setting_is_used() -> None:
    assert locate(monitoring("b"), {"a": host(), "b": host()}) == (["b"], [])


@pytest.mark.parametrize("default", ["a", "b"])
@pytest.mark.parametrize("volume", MONITORING_VOLUMES)
def test_the_host_with_data_keeps_it_whatever_the_default(default: str, volume: str) -> None:
    assert locate(monitoring(default=default), {"a": host(volume), "b": host("other")}) == (["a"], [])


def test_the_host_with_a_directory_keeps_it() -> None:
    assert locate(files(), {"a": host(), "b": host("files")}) == (["b"], [])


@pytest.mark.parametrize("volume", ["object-store-volume", "object-store-master-b", "prometheus-config", "postgres-b"])
def test_a_volume_without_such_data_does_not_decide_the_host(volume: str) -> None:
    assert locate(files(), {"a": host(), "b": host(volume)}) == (["a"], [])
    assert locate(monitoring(), {"a": host(), "b": host(volume)}) == (["a"], [])


def test_a_setting_that_names_a_host_without_the_data_is_refused() -> None:
    _, problems = locate(monitoring("b"), {"a": host("influxdb-vms", "alertmanager"), "b": host()})

    assert problems == [
        (
            'monitoring.host: "b" lacks data that is on "a" (alertmanager, influxdb-vms): '
            'set it to "a" to keep the data there, or move the data first (docs/operations/data.md), '
            'or remove these volumes on "a" if you do not need their data'
        )
    ]


def test_a_host_with_a_full_copy_of_the_data_is_accepted() -> None:
    assert locate(monitoring("b"), {"a": host(*MONITORING_VOLUMES), "b": host(*MONITORING_VOLUMES)}) == (["b"], [])


def test_a_host_with_an_incomplete_copy_is_refused() -> None:
    _, (problem,) = locate(
        monitoring("b"),
        {"a": host(*MONITORING_VOLUMES), "b": host(*MONITORING_VOLUMES[:-1])},
    )

    assert problem.startswith('monitoring.host: "b" lacks data that is on "a" (prometheus-data): ')


def test_with_data_on_two_hosts_the_setting_is_required() -> None:
    _, problems = locate(files(), {"a": host("files"), "b": host("files")})

    assert problems == [
        (
            'file_service.storage_host: not set, and data is on "a" (files) and "b" (files): '
            "set it to the host whose data to use"
        )
    ]


@pytest.mark.parametrize(
    ("managers", "workers", "hosts"),
    [("a", "", "a"), ("a", "bc", "ab"), ("ab", "c", "ab"), ("b", "a", "ab"), ("abc", "d", "abc"), ("abcd", "", "abc")],
)
def test_a_new_index_is_on_three_managers_or_on_the_first_and_one_other_host(
    managers: str, workers: str, hosts: str
) -> None:
    assert locate(index(managers=managers, workers=workers), dict.fromkeys("abcd", host())) == ([*hosts], [])


def test_an_index_stays_on_its_hosts_whatever_the_order_of_hosts() -> None:
    probes = {"a": host(), "b": host("postgres-b"), "c": host("postgres-c")}

    assert locate(index(), probes) == (["b", "c"], [])


def test_an_index_with_too_few_copies_gets_more() -> None:
    probes = {"a": host(), "b": host(), "c": host("postgres-c")}

    assert locate(index(), probes) == (["a", "c"], [])
    assert locate(index(managers="abc", workers=""), probes) == (["a", "b", "c"], [])


def test_a_volume_with_another_hosts_name_is_no_copy() -> None:
    assert locate(index(), {"a": host(), "b": host(), "c": host("postgres-a")}) == (["a", "b"], [])


def test_an_index_moves_to_the_hosts_in_the_setting_if_one_of_them_has_it() -> None:
    probes = {"a": host("postgres-a"), "b": host("postgres-b"), "c": host()}

    assert locate(index(["c", "b"]), probes) == (["b", "c"], [])


def test_a_setting_that_names_no_host_with_the_index_is_refused() -> None:
    _, problems = locate(index(["c", "d"]), {"a": host("postgres-a"), "b": host("postgres-b"), "c": host()})

    assert problems == [
        (
            'file_service.index_hosts: "c, d" lacks data that is on "a, b" (postgres-a, postgres-b): '
            "name such a host, too, until the next `pulumi up` has copied the data, "
            "or remove these volumes there if you do not need their data"
        )
    ]


def test_a_bucket_has_an_index_and_no_files_on_any_host() -> None:
    assert data(settings_for("a", **S3)).keys() == {"monitoring", "index"}
    assert data(settings_for("a", file_service={"storage": "directory"})).keys() == {"monitoring", "files"}


def test_removing_a_host_with_data_from_the_list_is_refused() -> None:
    nodes = (
        Node(id="n1", host="a", holds=frozenset({"monitoring"})),
        Node(id="n2", host="gone", holds=frozenset({"monitoring", "files"})),
        Node(id="n3", host="empty", holds=frozenset()),
    )

    assert left_behind({"a": host(nodes=nodes), "b": host(nodes=nodes), "w": host()}) == [
        (
            'hosts: "gone" is not on the list and holds data (files, monitoring): '
            "put it back and move the data first (docs/operations/data.md), "
            "or, if you do not need the data, run `docker node update --label-rm swarm-transfer.holds n2` on a manager"
        )
    ]


def test_data_on_a_host_that_is_gone_is_given_up() -> None:
    nodes = (Node(id="n1", host="a", holds=frozenset()), Node(id="n2", host="b", holds=frozenset({"monitoring"})))

    assert left_behind({"a": host(nodes=nodes)}, gone={"b"}) == []


def test_a_host_with_one_of_several_copies_may_be_removed() -> None:
    nodes = (
        Node(id="n1", host="a", holds=frozenset({"index"})),
        Node(id="n2", host="gone", holds=frozenset({"index", "monitoring"})),
    )

    (problem,) = left_behind({"a": host(nodes=nodes)})

    assert problem.startswith('hosts: "gone" is not on the list and holds data (monitoring): ')


# The whole program

SWARM = '{"LocalNodeState": "active", "ControlAvailable": true, "Cluster": {"ID": "ours"}}'
OURS = f"{SWARM}\nplatform|linux/amd64\nstack|lab\n"


def two_managers(values: dict[str, Any], *names: str) -> dict[str, Any]:
    addresses = {"master": "192.168.50.2", "slave": "192.168.50.3"}
    hosts = [{"name": name, "address": addresses[name], "role": "manager"} for name in names]
    return {**values, "replacing_manager": True, "hosts": hosts}


def placed_on(recorder: Recorder, service: str) -> list[str]:
    return recorder.services()[service]["taskSpec"]["placement"]["constraints"]


def labels_of(recorder: Recorder, name: str) -> list[str]:
    _, labels = inputs_of(recorder.commands()[f"{name}-node"]["create"])
    return labels


def test_reordered_hosts_keep_their_data_in_the_whole_program(
    run_program: Run, values: dict[str, Any], answers: dict[str, str]
) -> None:
    answers |= {
        "master": OURS + "".join(f"volume|{volume}\n" for volume in (*MONITORING_VOLUMES, "postgres-master")),
        "slave": OURS,
    }

    recorder = run_program(two_managers(values, "slave", "master"))

    for service in ("prometheus", "influxdb-vms", "influxdb-containers", "alertmanager", "grafana"):
        assert "node.labels.swarm-transfer.host==master" in placed_on(recorder, service)
    assert "swarm-transfer.holds=index,monitoring" in labels_of(recorder, "master")
    assert "swarm-transfer.holds=index" in labels_of(recorder, "slave")


def test_a_volume_on_another_host_is_another_resource(
    run_program: Run, values: dict[str, Any], recorder: Recorder
) -> None:
    """Otherwise Pulumi would only note the other host in its state, and forget the volume on the first one."""

    def volumes(host: str) -> dict[str, str]:
        recorder.resources.clear()
        moved = {"monitoring": {"host": host}, "file_service": {"storage": "directory", "storage_host": host}}
        found = run_program({**values, **moved}).of_type("docker:index/volume:Volume")
        return {name: inputs["name"] for name, inputs in found.items()}

    on_master, on_slave = volumes("master"), volumes("slave")

    assert sorted(on_master.values()) == sorted(on_slave.values())
    assert not on_master.keys() & on_slave.keys()
    for name in on_slave:
        variables, _ = inputs_of(recorder.commands()[f"{name}-owner"]["delete"])
        assert variables["VOLUME"] == on_slave[name], "deleted before the volume"


def test_a_refused_setting_registers_no_resource(
    run_program: Run, values: dict[str, Any], answers: dict[str, str], recorder: Recorder
) -> None:
    answers["master"] = f"{FRESH}volume|prometheus-data\n"

    with pytest.raises(PreflightError, match=r'monitoring\.host: "slave" lacks data that is on "master"'):
        run_program({**values, "monitoring": {"host": "slave"}}, preview=True)

    assert recorder.resources == []


PLACES = {"cluster": {}, "directory": {"file_service": {"storage": "directory"}}, "https://s3.example/team": S3}
OTHER_BUCKET = {**S3, "file_service": {"storage": "s3", "s3": {**BUCKET, "prefix": "files"}}}


@pytest.mark.parametrize("place", PLACES)
def test_the_nodes_say_where_the_files_are_and_another_place_is_refused(
    run_program: Run, values: dict[str, Any], answers: dict[str, str], recorder: Recorder, place: str
) -> None:
    run_program({**values, **PLACES[place]}, secrets=SECRETS)
    assert f"swarm-transfer.storage={place}" in labels_of(recorder, "master")
    recorder.resources.clear()
    answers["master"] = f"{OURS}storage|{place}\n"
    answers["slave"] = FRESH

    for other, changes in {**PLACES, "https://s3.example/team/files": OTHER_BUCKET}.items():
        if other == place:
            assert run_program({**values, **changes}, secrets=SECRETS, preview=True).resources
            recorder.resources.clear()
            continue
        with pytest.raises(PreflightError) as refused:
            run_program({**values, **changes}, secrets=SECRETS, preview=True)
        assert f'file_service.storage: the files are in "{place}", and "{other}" would begin without them: set it' in (
            str(refused.value)
        )
        assert recorder.resources == []


def test_volumes_that_were_left_on_a_host_do_not_say_where_the_files_are(
    run_program: Run, values: dict[str, Any], answers: dict[str, str]
) -> None:
    answers["slave"] = f"{FRESH}volume|object-store-volume\n"

    assert run_program({**values, **PLACES["directory"]}, preview=True).resources


@pytest.mark.parametrize("storage", ["cluster", "directory"])
def test_every_volume_of_the_program_is_classified_as_data_or_not(
    run_once: Run, values: dict[str, Any], storage: str
) -> None:
    known: set[str] = set()
    for kind in data(settings_for(["master"], ["slave"], file_service={"storage": storage})).values():
        known |= kind.volumes if isinstance(kind, Data) else {kind.volume(name) for name in kind.default}
    made = {
        volume["name"]
        for volume in run_once({**values, "file_service": {"storage": storage}})
        .of_type("docker:index/volume:Volume")
        .values()
    }

    assert known <= made
    assert made - known <= {"prometheus-config", "object-store-master-master", "etcd-master"}
