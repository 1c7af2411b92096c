"""The whole program: invariants of the resources that it registers."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from recorder import FRESH, PASSWORDS, Recorder, revealed
from variants import hosts_with

from components.commands import init_swarm, lock_swarm, print_join_token, rotate_join_tokens, stop_locking_swarm
from components.edge_config import haproxy_users

Run = Callable[..., Recorder]
ROOT = Path(__file__).parent.parent.parent
HASHED = re.compile(r"^localhost/swarm-transfer/[a-z-]+:[0-9a-f]{12}$")
PINNED = re.compile(r"^[a-z0-9./:-]+@sha256:[0-9a-f]{64}$")


VXLAN_NUMBER = "com.docker.network.driver.overlay.vxlanid_list"

ROOTS = {"cadvisor", "container-api", "docker-api"}
"""Services that read what belongs to root: the Engine's socket or folder. They run as root without capabilities."""

OBJECT_STORE = {"object-store-master-master", "object-store-volume"}
INDEX = {"etcd-master", "postgres-master", "postgres-slave"}

SINGLE_WRITERS = {"alertmanager", "influxdb-containers", "influxdb-vms", "prometheus", *OBJECT_STORE, *INDEX}
"""Services whose data two simultaneous tasks would corrupt."""

SINGLE_LISTENERS = {"container-api"}
"""Services whose socket in a volume can belong to one task only."""


def test_every_service_is_hardened_limited_and_health_checked(run_once: Run, values: dict[str, Any]) -> None:
    services = run_once(values).services()

    assert set(services) == {"files", "edge", "grafana", "node-exporter", *ROOTS, *SINGLE_WRITERS}
    for name, service in services.items():
        container, task = service["taskSpec"]["containerSpec"], service["taskSpec"]
        assert service["name"] == name, "other services find it by this name"
        assert HASHED.match(container["image"]) or PINNED.match(container["image"])
        assert container["healthcheck"]["tests"][0] == "CMD"
        assert container["user"].startswith(("0", "root")) == (name in ROOTS)
        assert container["readOnly"] is True
        assert container["init"] is True
        assert container["capDrops"] == ["ALL"]
        assert container["stopGracePeriod"]
        for kind in ("limits", "reservation"):
            assert task["resources"][kind]["memoryBytes"] > 0
            assert task["resources"][kind]["nanoCpus"] > 0
        assert task["restartPolicy"]["condition"] == "any"
        assert task["logDriver"]["options"]["max-size"]
        for network in task["networksAdvanceds"]:
            assert network.keys() <= {"id", "aliases"}, "not by its name, which is deprecated"
        assert service["updateConfig"]["failureAction"] == "rollback"
        assert service["rollbackConfig"]["failureAction"] == "pause"
        assert service["endpointSpec"]["mode"] == "dnsrr"
        assert all(port["publishMode"] == "host" for port in service["endpointSpec"].get("ports", []))


def test_a_service_has_at_most_one_environment_variable(run_once: Run, values: dict[str, Any]) -> None:
    """The provider writes a service's variables in random order, and Swarm restarts tasks when the order changes."""
    recorder = run_once(values)

    for name, service in recorder.services().items():
        assert len(service["taskSpec"]["containerSpec"].get("env", {})) <= 1, name
        assert recorder.environment(name)["SWARM_TRANSFER_VERSION"], name
    for name in ("object-store-volume", "files"):
        assert recorder.services()[name]["taskSpec"]["containerSpec"]["env"] == {"NODE_ID": "{{.Node.ID}}"}


def test_the_version_changes_with_the_task_configuration_only(run_once: Run, values: dict[str, Any]) -> None:
    def versions(file_service: dict[str, Any]) -> dict[str, str]:
        recorder = run_once({**values, "file_service": file_service})
        return {name: recorder.environment(name)["SWARM_TRANSFER_VERSION"] for name in recorder.services()}

    before = versions({"replicas": 3})

    assert versions({"replicas": 4}) == before
    changed = versions({"replicas": 3, "quota_bytes": 10**9})
    assert {name for name in before if before[name] != changed[name]} == {"files"}


def test_the_type_of_a_component_names_its_module(run_once: Run, values: dict[str, Any]) -> None:
    types = {made.typ for made in run_once(values).resources if made.typ.startswith("swarm:")}

    assert "swarm:swarm_service:SwarmService" in types
    for _, module, name in (found.split(":") for found in types):
        assert f"\nclass {name}(" in (ROOT / "components" / f"{module}.py").read_text()


def test_every_duration_has_the_form_that_the_provider_reads_back(run_once: Run, values: dict[str, Any]) -> None:
    for name, service in run_once(values).services().items():
        container = service["taskSpec"]["containerSpec"]
        check = container["healthcheck"]
        written = [container["stopGracePeriod"], check["interval"], check["timeout"], check["startPeriod"]]
        assert all(re.fullmatch(r"([0-9]+h)?([0-9]+m)?([1-5]?[0-9]s)?", duration) for duration in written), name


def test_every_service_declares_constraints_but_no_platforms(run_once: Run, values: dict[str, Any]) -> None:
    """The provider does not revert a manual change of something that the program does not declare."""
    for name, service in run_once(values).services().items():
        assert "node.platform.os==linux" in service["taskSpec"]["placement"]["constraints"], name
        assert "platforms" not in service["taskSpec"]["placement"], name
        for mount in service["taskSpec"]["containerSpec"].get("mounts", []):
            assert mount.get("tmpfsOptions", {}).get("mode", 0o777) == 0o777, name


def test_a_service_with_ports_or_a_single_writer_stops_its_old_task_first(
    run_once: Run, values: dict[str, Any]
) -> None:
    for name, service in run_once(values).services().items():
        holds = bool(service["endpointSpec"].get("ports")) or name in SINGLE_WRITERS | SINGLE_LISTENERS
        assert (service["updateConfig"]["order"] == "stop-first") == holds, name


def test_paths_of_the_host_are_mounted_read_only(run_once: Run, values: dict[str, Any]) -> None:
    binds = [
        mount
        for service in run_once(values).services().values()
        for mount in service["taskSpec"]["containerSpec"].get("mounts", [])
        if mount["type"] == "bind"
    ]

    assert binds
    assert all(mount["readOnly"] is True for mount in binds)


def test_docker_resources_use_explicit_providers(run_once: Run, values: dict[str, Any]) -> None:
    for resource in run_once(values).resources:
        if resource.typ.startswith("docker:"):
            assert resource.provider, f"{resource.name} would use the default provider's engine"


def test_pulumi_names_swarm_configs_and_secrets(run_once: Run, values: dict[str, Any]) -> None:
    recorder = run_once(values)

    immutable = [
        r
        for r in recorder.resources
        if r.typ in ("docker:index/serviceConfig:ServiceConfig", "docker:index/secret:Secret")
    ]
    assert len(immutable) > 10
    for resource in immutable:
        assert "name" not in resource.inputs
        assert len(resource.name) <= 48


def test_every_network_declares_its_gateway(run_once: Run, values: dict[str, Any]) -> None:
    networks = run_once(values).of_type("docker:index/network:Network")

    assert {network["name"]: network["ipamConfigs"] for network in networks.values()} == {
        name: [{"subnet": f"10.0.{number}.0/24", "gateway": f"10.0.{number}.1"}]
        for number, name in enumerate(
            ("ClusterNet", "DockerApiNet", "StorageNet", "FilesNet", "MetricsNet", "IndexNet"), start=10
        )
    }
    assert {network["driver"] for network in networks.values()} == {"overlay"}


def test_images_are_built_for_the_platform_of_their_host(
    run_program: Run, values: dict[str, Any], answers: dict[str, str]
) -> None:
    answers["slave"] = FRESH.replace("amd64", "arm64")

    images = run_program(values).of_type("docker:index/image:Image")

    assert {name: image["build"]["platform"] for name, image in images.items() if name.startswith("files-")} == {
        "files-image-master": "linux/amd64",
        "files-image-slave": "linux/arm64",
    }


def test_networks_are_made_for_the_smallest_mtu_of_the_hosts(
    run_program: Run, values: dict[str, Any], answers: dict[str, str]
) -> None:
    answers["slave"] = f"{FRESH}interface|eth0|192.168.50.3/24|1450\n"

    networks = run_program(values).of_type("docker:index/network:Network")

    assert networks["api-net"]["options"]["com.docker.network.driver.mtu"] == "1450"
    assert networks["cluster-net"]["options"].keys() - {VXLAN_NUMBER} == {"encrypted", "com.docker.network.driver.mtu"}


def test_every_network_is_encrypted_and_has_a_vxlan_number_of_its_own(run_once: Run, values: dict[str, Any]) -> None:
    """Swarm's own choice of a number would be a difference in every preview, and replace the network."""
    networks = run_once(values).of_type("docker:index/network:Network")

    assert {"cluster-net", "files-net", "index-net", "storage-net"} <= networks.keys()
    assert [name for name, network in networks.items() if "encrypted" not in network["options"]] == []
    numbers = [int(network["options"][VXLAN_NUMBER]) for network in networks.values()]
    assert len(set(numbers)) == len(numbers)


def test_a_network_without_options_leaves_its_vxlan_number_to_swarm(run_program: Run, values: dict[str, Any]) -> None:
    networks = run_program({**values, "network": {"encrypted": False}}).of_type("docker:index/network:Network")

    assert not [network for network in networks.values() if network.get("options")]


def test_join_tokens_are_passed_on_standard_input_only(run_once: Run, values: dict[str, Any]) -> None:
    commands = run_once(values).commands()

    for name, command in commands.items():
        text = f"{command.get('create')}{command.get('delete')}{command.get('update')}{command.get('environment')}"
        assert "SWMTKN" not in text, name
        assert command["addPreviousOutputInEnv"] is False, name
    assert json.loads(revealed(commands["slave-membership"]["stdin"]))["JoinToken"] == "SWMTKN-worker"
    assert commands["slave-token"]["logging"] == "none"


def test_no_resource_input_has_a_password_in_the_clear(run_once: Run, values: dict[str, Any]) -> None:
    for resource in run_once(values).resources:
        for password in PASSWORDS.values():
            assert password not in repr(resource.inputs), resource.name


def test_host_keys_are_always_verified(run_once: Run, values: dict[str, Any]) -> None:
    recorder = run_once(values)

    for name, command in recorder.commands().items():
        assert name == "seed-text" or "StrictHostKeyChecking=yes" in command["interpreter"], name
    for provider in recorder.of_type("pulumi:providers:docker").values():
        assert "StrictHostKeyChecking=yes" in json.loads(provider["sshOpts"])


def test_the_state_is_the_same_for_every_operator(
    run_program: Run, values: dict[str, Any], recorder: Recorder, tmp_path: Path
) -> None:
    """Two operators have different keys in different checkouts, at the same relative paths."""

    def registered(operator: str) -> dict[tuple[str, str], Any]:
        checkout = tmp_path / operator
        shutil.copytree(ROOT, checkout, ignore=shutil.ignore_patterns(".*", "__pycache__", "tests", "lab", "bench"))
        (checkout / "id_ed25519").write_text(f"key of {operator}")
        shutil.copy(values["ssh"]["known_hosts_file"], checkout / "known_hosts")
        ssh = {"user": "vagrant", "private_key_file": "id_ed25519", "known_hosts_file": "known_hosts"}
        recorder.resources.clear()
        run_program({**values, "ssh": ssh}, checkout=checkout)
        return {(r.typ, r.name): r.inputs for r in recorder.resources}

    first, second = registered("first"), registered("second")

    assert len(first) > 50
    assert first == second
    assert str(tmp_path) not in repr(first)
    assert "key of first" not in repr(first)


def test_each_host_joins_with_the_token_of_its_role(run_once: Run, values: dict[str, Any]) -> None:
    commands = run_once({**values, **hosts_with("worker", "manager", "manager", "worker", "manager")}).commands()

    tokens = {
        name: json.loads(revealed(command["stdin"]))["JoinToken"]
        for name, command in commands.items()
        if name.endswith("-membership") and command.get("stdin")
    }
    assert tokens == {
        "host2-membership": "SWMTKN-worker",
        "host4-membership": "SWMTKN-manager",
        "host5-membership": "SWMTKN-worker",
        "host6-membership": "SWMTKN-manager",
    }
    assert commands["host3-membership"]["create"] == init_swarm(address="192.168.50.3", stack="lab")


def test_the_token_is_read_when_a_host_joins(run_once: Run, values: dict[str, Any]) -> None:
    """A host that joins later has its own reading, so it gets the token of that day."""
    recorder = run_once({**values, **hosts_with("manager", "worker", "worker")})

    tokens = {name: command["create"] for name, command in recorder.commands().items() if name.endswith("-token")}
    assert tokens == dict.fromkeys(["host3-token", "host4-token"], print_join_token("worker"))
    for host in ("host3", "host4"):
        assert f"{host}-token" in recorder.dependencies[f"{host}-membership"]
        assert "host2-node" in recorder.dependencies[f"{host}-token"]


def test_managers_are_locked_only_if_the_setting_says_so(run_once: Run, values: dict[str, Any]) -> None:
    assert "swarm-lock" not in run_once(values).commands()

    recorder = run_once({**values, "autolock": True})

    lock = recorder.commands()["swarm-lock"]
    assert (lock["create"], lock["delete"]) == (lock_swarm(), stop_locking_swarm())
    assert lock["logging"] == "none"
    assert {"master-node", "slave-node"} <= recorder.dependencies["swarm-lock"]


def test_the_join_tokens_are_rotated_once_all_hosts_have_joined(run_once: Run, values: dict[str, Any]) -> None:
    recorder = run_once({**values, **hosts_with("manager", "worker", "worker")})

    nodes = {"host2-node", "host3-node", "host4-node"}
    assert nodes <= recorder.dependencies["swarm-join-tokens"]
    assert recorder.commands()["swarm-join-tokens"]["create"] == rotate_join_tokens(
        {
            "host2-membership-output": "manager",
            "host3-membership-output": "worker",
            "host4-membership-output": "worker",
        }
    )
    assert not any("swarm-join-tokens" in needed for needed in recorder.dependencies.values()), "nothing waits for it"


def test_the_swarm_uses_the_hosts_addresses(run_once: Run, values: dict[str, Any]) -> None:
    commands = run_once(values).commands()

    assert commands["master-membership"]["create"] == init_swarm(address="192.168.50.2", stack="lab")
    request = json.loads(revealed(commands["slave-membership"]["stdin"]))
    assert request["AdvertiseAddr"] == request["DataPathAddr"] == "192.168.50.3"
    assert request["RemoteAddrs"] == ["192.168.50.2:2377"]


def test_scaling_changes_the_service_and_the_expected_tasks_only(run_once: Run, values: dict[str, Any]) -> None:
    before = {(r.typ, r.name): r.inputs for r in run_once(values).resources}
    after = {(r.typ, r.name): r.inputs for r in run_once({**values, "file_service": {"replicas": 5}}).resources}

    changed = {key for key in before if before[key] != after[key]}
    assert before.keys() == after.keys()
    assert changed == {
        ("docker:index/service:Service", "files"),
        ("command:local:Command", "prometheus-files"),  # has the expected number of tasks
    }


def test_adding_a_host_does_not_change_the_others(run_once: Run, values: dict[str, Any]) -> None:
    before = {(r.typ, r.name): r.inputs for r in run_once({**values, **hosts_with("manager", "worker")}).resources}
    more = {**values, **hosts_with("manager", "worker", "worker")}
    after = {(r.typ, r.name): r.inputs for r in run_once(more).resources}

    changed = {key for key in before if before[key] != after[key] and key[0] != "pulumi:pulumi:Stack"}
    assert changed == {
        ("command:local:Command", "prometheus-files"),  # has the expected nodes
        ("command:local:Command", "swarm-join-tokens"),  # are rotated after each join
    }
    assert {name for _, name in after.keys() - before.keys()} == {
        "host4", "host4-engine", "host4-images", "host4-membership", "host4-node", "host4-token",
        "files-image-host4", "files-image-host4-removal", "object-store-data-host4", "cadvisor-folder-on-host4",
    }  # fmt: skip


def test_up_waits_for_every_service_and_then_for_an_answer_through_every_host(
    run_once: Run, values: dict[str, Any]
) -> None:
    recorder = run_once(values)
    waited_for = recorder.ready

    answers = ["http://192.168.50.2:5001/readyz", "http://192.168.50.3:5001/readyz"]
    assert sorted(set(waited_for) - set(answers)) == sorted(recorder.services())
    assert set(answers) < set(waited_for)
    assert waited_for.index(answers[0]) > max(waited_for.index("edge"), waited_for.index("files"))


def test_a_preview_waits_for_no_service(run_program: Run, values: dict[str, Any]) -> None:
    assert run_program(values, preview=True).ready == []


@pytest.mark.parametrize("password", ["[a-long-password", "{a-long-password", "[1,2,3,4,5,6,7]"])
def test_a_password_may_begin_like_json(run_once: Run, values: dict[str, Any], password: str) -> None:
    recorder = run_once({**values, "operator_password": password})

    assert recorder.secret("edge-operators") == haproxy_users(password, deployment="swarm-transfer/lab")


def test_an_object_that_is_not_json_is_refused_by_name(run_once: Run, values: dict[str, Any]) -> None:
    with pytest.raises(Exception, match=r'swarm-transfer:network: "\{subnet": .*change it'):
        run_once({**values, "network": "{subnet"})
