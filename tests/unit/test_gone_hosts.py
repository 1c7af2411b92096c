"""A host that is gone for good has no part in the program, and the swarm and etcd forget it."""

from collections.abc import Callable
from typing import Any

from described import settings_for
from recorder import Recorder

from components.commands import forget_etcd, forget_node, join_swarm
from settings import topology

Run = Callable[..., Recorder]


def hosts(**gone: bool) -> dict[str, Any]:
    names = ("master", "second", "third")
    return {
        "hosts": [
            {
                "name": name,
                "address": f"192.168.50.{number}",
                "role": "manager",
                "state": "gone" if gone.get(name) else "active",
            }
            for number, name in enumerate(names, start=2)
        ]
    }


def test_without_the_first_of_three_managers_the_second_runs_the_swarms_commands(
    run_once: Run, values: dict[str, Any]
) -> None:
    recorder = run_once({**values, **hosts(master=True)})
    commands = recorder.commands()

    assert commands["master-forgotten"]["create"] == forget_node(host="master")
    assert commands["etcd-master-forgotten"]["create"] == forget_etcd(lost="etcd-master", member="etcd-second")
    for name in ("master-forgotten", "etcd-master-forgotten", "third-token", "third-node"):
        assert commands[name]["interpreter"][-1] == "vagrant@192.168.50.3"
    assert commands["third-membership"]["create"] == join_swarm()
    own = [command for command in commands.values() if command.get("interpreter", [""])[-1] == "vagrant@192.168.50.2"]
    assert own == [], "nothing runs on the host that is gone"
    assert list(recorder.gone.values()) == [["master"]], "nor does what is deleted"
    assert "master-engine" not in recorder.of_type("pulumi:providers:docker")
    pinned = {name for name in recorder.services() if name.startswith(("etcd-", "object-store-master-", "postgres-"))}
    assert pinned == {
        f"{service}-{host}" for service in ("etcd", "object-store-master", "postgres") for host in ("second", "third")
    }


def test_the_other_two_of_three_managers_still_decide_by_majority() -> None:
    settings = settings_for(["a", "b", "c"])
    lost = settings.model_copy(
        update={"hosts": tuple(h.model_copy(update={"state": "gone"}) if h.name == "a" else h for h in settings.hosts)}
    )

    described = topology.describe(lost, {"monitoring": ["b"], "index": ["b", "c"]})

    assert list(described.voting_hosts) == ["b", "c"]
    assert list(described.voters) == ["a", "b", "c"], "SeaweedFS refuses two masters"
    assert described.services["edge"].tasks == 2
    assert not [service for service in described.services.values() if "a" in service.hosts]


def test_without_two_of_three_managers_the_last_one_decides_alone() -> None:
    settings = settings_for(["a", "b", "c"])
    *gone, left = settings.hosts
    hosts = (*(host.model_copy(update={"state": "gone"}) for host in gone), left)

    described = topology.describe(settings.model_copy(update={"hosts": hosts}), {"monitoring": ["c"], "index": ["c"]})

    assert list(described.voters) == list(described.voting_hosts) == ["c"]


def test_a_volume_is_deleted_by_a_command_because_the_provider_would_need_the_host(
    run_once: Run, values: dict[str, Any]
) -> None:
    recorder = run_once(values)

    volumes = recorder.of_type("docker:index/volume:Volume")
    assert volumes
    for name, volume in volumes.items():
        assert f"VOLUME={volume['name']}\n" in recorder.commands()[f"{name}-owner"]["delete"]
