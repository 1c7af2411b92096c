"""What somebody changed by hand is named, with what puts it back, and nothing is changed.

`refreshed_by_hand.json` has parts of what the Pulumi CLI 3.259.0 printed for a small program after such changes.
"""

import copy
import json
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from recorder import Recorder

from components import preflight
from components.commands import (
    CLUSTER_LABEL,
    HOST_LABEL,
    chown_volume,
    configure_node,
    create_volume,
    load_firewall,
    retire_node,
)
from components.probe import SCRIPT, parse
from components.shell import render, variables_and_arguments
from components.ssh import SshError, SshTarget
from operations import drift, health, recorded, refreshed, stack
from operations.commanded import firewall_findings, node_findings, service_findings, volume_findings
from operations.recorded import WantedNode, WantedVolume
from operations.refreshed import changes
from operations.stack import OperationError

HERE = Path(__file__).parent
BY_HAND = json.loads((HERE / "refreshed_by_hand.json").read_text())
REAL = json.loads((HERE / "lab" / "plugins" / "recorded" / "docker-5.2.0-command-1.2.1.json").read_text())

MASTER = WantedNode(host="master", id="m1", role="manager", labels={HOST_LABEL: "master", "disk": "ssd"})
SLAVE = WantedNode(host="slave", id="s1", role="worker", labels={HOST_LABEL: "slave", "disk": "ssd"})
VOLUME = WantedVolume(address="10.0.0.2", name="postgres-master", owner="999", image="haproxy:3@sha256:abc")


# What the provider reads


def test_what_a_refresh_finds_is_said_in_words() -> None:
    assert list(changes(BY_HAND)) == [
        "ClusterNet: the network was deleted",
        "edge-config-3091301: the config was deleted",
        "edge-ops-744c123: the secret was deleted",
        "node-exporter: the service was deleted",
        "files: published ports: 7777 was added",
        "files: replicas are 5 instead of 3",
        "files: added capabilities: NET_ADMIN was added",
        "files: the command was changed",
        "files: environment: A was added",
        "files: healthcheck.retries are 9 instead of 3",
        "files: host entries: other was added",
        "files: the image is img:2@sha256:def instead of img:1@sha256:abc",
        "files: mounts: /x was added",
        "files: constraints: node.hostname==master was added",
        "files: the memory limit is 99 MiB instead of 64 MiB",
    ]


def real_changes(name: str) -> list[str]:
    """Return what is said of a change that was recorded with the real plugins."""
    before = {**REAL["created"][name], **REAL["refreshed"].get(name, {})}
    (step,) = [step for step in REAL["by hand"]["steps"] if step["name"] == name]
    found = {
        "op": "update",
        "urn": f"urn::{name}",
        "detailedDiff": step["diff"],
        "oldState": before,
        "newState": REAL["by hand"]["updated"][name],
    }
    return list(changes({"steps": [found], "changeSummary": {"update": 1}}))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("files", ["replicas are 2 instead of 3"]),
        ("node-exporter", ["constraints: node.hostname==master was added"]),
        (
            "alertmanager",
            [
                "added capabilities: CAP_NET_ADMIN was added",
                "environment: A was added",
                "mounts: /x was added",
                "the memory limit is 100 MiB instead of 128 MiB",
            ],
        ),
        (
            "docker-api",
            [
                "published ports: 7777 was added",
                "host entries: other was added",
                "restartPolicy.delay is 9s instead of 2s",
            ],
        ),
        (
            "influxdb-vms",
            [
                "groups: 4 was added",
                "healthcheck.retries are 9 instead of 3",
                "hostname is other instead of nothing",
                "the stop grace period is 2m instead of 1m",
                "updateConfig.parallelism is 3 instead of 1",
            ],
        ),
    ],
)
def test_what_the_real_provider_reads_is_said_in_words(name: str, said: list[str]) -> None:
    assert real_changes(name) == [f"{name}: {words}" for words in said]


def update(before: Any, after: Any, *paths: str) -> dict[str, Any]:
    return {
        "steps": [
            {
                "op": "update",
                "urn": "urn::files",
                "detailedDiff": {path: {"kind": "update"} for path in paths},
                "oldState": {"type": "docker:index/service:Service", "outputs": {"name": "files", **before}},
                "newState": {"outputs": {"name": "files", **after}},
            }
        ],
        "changeSummary": {"update": 1, "same": 60},
    }


def test_members_that_were_removed_or_changed_are_named_and_read_defaults_are_not() -> None:
    before = [{"targetPort": 1, "publishedPort": 5001, "name": None}, {"targetPort": 2, "publishedPort": 5002}]
    after = [{"targetPort": 3, "publishedPort": 5001, "name": ""}]
    same = {"mounts": [{"target": "/d", "readOnly": None}]}, {"mounts": [{"target": "/d", "readOnly": False}]}

    assert list(
        changes(
            update(
                {"endpointSpec": {"ports": before}, "taskSpec": {"containerSpec": same[0]}},
                {"endpointSpec": {"ports": after}, "taskSpec": {"containerSpec": same[1]}},
                "endpointSpec.ports[0].targetPort",
                "endpointSpec.ports[1]",
                "taskSpec.containerSpec.mounts[0].target",
            )
        )
    ) == [
        "files: published ports: 5001 was changed",
        "files: published ports: 5002 was removed",
        "files: mounts were changed",
    ]


def test_the_value_of_a_variable_is_not_shown() -> None:
    found = changes(
        update(
            {"taskSpec": {"containerSpec": {"env": {"TOKEN": "old"}}}},
            {"taskSpec": {"containerSpec": {"env": {"TOKEN": "new", "a.b": "other"}}}},
            "taskSpec.containerSpec.env.TOKEN",
            'taskSpec.containerSpec.env["a.b"]',
        )
    )

    assert list(found) == ["files: environment: TOKEN was changed", "files: environment: a.b was added"]


def test_a_property_without_values_is_named() -> None:
    secret = "[secret]"  # what Pulumi prints instead

    assert list(changes(update({"mode": secret}, {"mode": secret}, "mode.replicated.replicas"))) == [
        "files: replicas were changed"
    ]


def test_a_change_that_pulumi_only_counts_is_not_missed() -> None:
    assert list(changes({"steps": [{"op": "refresh"}], "changeSummary": {"same": 60, "update": 2}})) == [
        "2 more resources: `pulumi refresh --preview-only --diff` shows what was changed"
    ]


def test_a_refresh_without_changes_finds_nothing() -> None:
    steps = [step for step in BY_HAND["steps"] if step["op"] == "refresh"]

    assert steps
    assert list(changes({"steps": steps, "changeSummary": {"same": len(steps)}})) == []


# What commands made


def node(wanted: WantedNode, **changed: Any) -> dict[str, Any]:
    """Return the Engine API's document of the node as wanted, except for what is changed in its specification."""
    spec = {"Role": wanted.role, "Availability": "active", "Labels": dict(wanted.labels), **changed}
    return {
        "ID": wanted.id,
        "Spec": spec,
        "Status": {"State": "ready"},
        "Description": {"Hostname": wanted.host, "Platform": {"OS": "linux"}},
    }


def probed(identifier: str, *volumes: str) -> str:
    """Return the probe's output on a host with this node id. Without an id, it is in no swarm."""
    swarm = {"LocalNodeState": "active" if identifier else "inactive", "NodeID": identifier}
    return "\n".join([json.dumps(swarm), *(f"volume|{volume}" for volume in volumes)])


def said_of_nodes(*documents: dict[str, Any], slave: str = "s1") -> list[str]:
    probes = {"master": parse(probed("m1")), "slave": parse(probed(slave))}
    return list(node_findings([MASTER, SLAVE], documents, probes))


ACTIVE = (
    "`docker node update --availability active s1`, or `python -m operations.maintain slave` if its maintenance was "
    "interrupted, puts it back"
)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"Availability": "drain"}, f"slave: somebody drained it: {ACTIVE}"),
        ({"Availability": "pause"}, f"slave: somebody paused it: {ACTIVE}"),
        ({"Role": "manager"}, "slave: it is a manager instead of a worker: `docker node demote s1` puts it back"),
        (
            {"Labels": {HOST_LABEL: "slave"}},
            "slave: the label disk=ssd was removed: `docker node update --label-add disk=ssd s1` puts it back",
        ),
        (
            {"Labels": {HOST_LABEL: "slave", "disk": "hdd"}},
            "slave: the label disk is hdd instead of ssd: `docker node update --label-add disk=ssd s1` puts it back",
        ),
        (
            {"Labels": {**SLAVE.labels, "rack": "a b"}},
            "slave: the label rack=a b was added: `docker node update --label-rm rack s1` removes it",
        ),
    ],
)
def test_a_changed_node_is_named_with_the_command_that_puts_it_back(changed: dict[str, Any], said: str) -> None:
    assert said_of_nodes(node(MASTER), node(SLAVE, **changed)) == [said]


def test_a_manager_that_was_made_a_worker_is_named() -> None:
    assert said_of_nodes(node(MASTER, Role="worker"), node(SLAVE)) == [
        "master: it is a worker instead of a manager: `docker node promote m1` puts it back"
    ]


def test_nodes_as_wanted_are_not_named() -> None:
    assert said_of_nodes(node(MASTER), node(SLAVE)) == []


LEFT = (
    "slave: it left the swarm: put it back as docs/operations/hosts.md says of a host that is gone for good, and leave "
    "the machine on"
)


def test_a_host_that_left_or_whose_node_was_removed_is_named() -> None:
    assert said_of_nodes(node(MASTER), node(SLAVE), slave="") == [LEFT]
    assert said_of_nodes(node(MASTER)) == [LEFT]


def test_a_node_that_joined_by_hand_is_named() -> None:
    stranger = node(WantedNode(host="other", id="o1", role="worker", labels={}))

    assert said_of_nodes(node(MASTER), node(SLAVE), stranger) == [
        (
            "other: it is in the swarm, and not one of the hosts: `docker swarm leave` there, then "
            "`docker node rm o1`, removes it"
        )
    ]


def test_a_deleted_volume_is_named_with_the_command_that_makes_it_anew() -> None:
    hosts, there = {"10.0.0.2": "master"}, parse(probed("m1", "postgres-master"))
    chown = f"--volume postgres-master:/volume --entrypoint chown {VOLUME.image} 999:999 /volume"

    assert list(volume_findings([VOLUME], hosts, {"master": there})) == []
    assert list(volume_findings([VOLUME], hosts, {})) == [], "the host did not answer"
    (said,) = volume_findings([VOLUME], hosts, {"master": parse(probed("m1", "other"))})
    assert said == (
        "postgres-master: the volume was deleted on master with its data: "
        f"`docker run --rm --user 0:0 {chown}` there makes an empty one"
    )


def test_a_firewall_that_does_not_run_is_named_with_the_command_that_starts_it() -> None:
    firewalls = {"master": "urn::master-firewall", "slave": "urn::slave-firewall"}
    running = parse(f"{probed('m1')}\ncontainer|swarm-transfer-firewall||")

    assert list(firewall_findings(firewalls, {"master": running, "slave": running})) == []
    assert list(firewall_findings(firewalls, {"master": running})) == [], "the host did not answer"
    assert list(firewall_findings(firewalls, {"master": running, "slave": parse(probed("s1"))})) == [
        "slave: its firewall does not run: `pulumi up --replace 'urn::slave-firewall'` starts it"
    ]


def service(name: str, *, labels: Mapping[str, str] | None = None, **container: Any) -> dict[str, Any]:
    spec = {"Name": name, "Labels": labels, "TaskTemplate": {"ContainerSpec": container}}
    return {"ID": f"{name}-id", "Spec": spec}


def test_what_was_added_to_a_service_and_would_stay_is_named() -> None:
    documents = [
        service("files", labels={"a": "b"}),
        service("edge", DNSConfig={"Nameservers": ["1.1.1.1"], "Search": ["x.org"], "Options": ["ndots:2"]}),
        service("other"),
    ]

    assert list(service_findings({"files-id", "edge-id"}, documents)) == [
        "files: the label a=b was added: `docker service update --label-rm a files` removes it",
        "edge: dns 1.1.1.1 was added: `docker service update --dns-rm 1.1.1.1 edge` removes it",
        "edge: dns-search x.org was added: `docker service update --dns-search-rm x.org edge` removes it",
        "edge: dns-option ndots:2 was added: `docker service update --dns-option-rm ndots:2 edge` removes it",
        "other: somebody created this service: `docker service rm other-id` removes it",
    ]


def test_services_as_the_real_provider_made_them_are_not_named() -> None:
    documents = [document for document in REAL["engine"].values() if "TaskTemplate" in document.get("Spec", {})]

    assert documents
    assert list(service_findings({document["ID"] for document in documents}, documents)) == []


# What the state has


def test_a_script_has_what_it_was_given() -> None:
    labels = {"a": "it's", "empty": "", "two": "a b\nc"}

    variables, arguments = variables_and_arguments(configure_node(node_id="n1", role="worker", labels=labels))

    assert variables == {"NODE": "n1", "ROLE": "worker"}
    assert dict(label.split("=", 1) for label in arguments) == labels
    assert variables_and_arguments(render("print_unanswered")) == ({}, [])


def exported(made: Recorder) -> dict[str, Any]:
    """Return the state that the program's resources would have."""
    return {
        "deployment": {
            "resources": [
                {"urn": f"urn::{args.name}", "type": args.typ, "id": f"{args.name}-id", "inputs": args.inputs}
                for args in made.resources
            ]
        }
    }


def test_the_program_s_state_has_every_node_volume_and_service(
    run_once: Callable[..., Recorder], values: dict[str, Any]
) -> None:
    values["hosts"][1]["labels"] = {"disk": "ssd"}
    made = run_once(values)

    found = recorded.parse(exported(made))

    assert {node.host: (node.id, node.role) for node in found.nodes} == {
        "master": ("master-membership-output", "manager"),
        "slave": ("slave-membership-output", "worker"),
    }
    assert found.nodes[1].labels.items() >= {"disk": "ssd", HOST_LABEL: "slave", CLUSTER_LABEL: "lab"}.items()
    assert found.services == {f"{name}-id" for name in made.services()}
    # The deletion of a volume is reported only if its host and its owner are known.
    provided = {volume["name"] for volume in made.of_type("docker:index/volume:Volume").values()}
    assert {volume.name for volume in found.volumes} == provided | {"object-store-volume"}
    addresses = {volume.address for volume in found.volumes if volume.name == "object-store-volume"}
    assert addresses == {"192.168.50.2", "192.168.50.3"}


def test_the_program_s_state_has_every_firewall(run_once: Callable[..., Recorder], values: dict[str, Any]) -> None:
    assert recorded.parse(exported(run_once(values))).firewalls == {}
    assert recorded.parse(exported(run_once({**values, "firewall": {}}))).firewalls == {
        "master": "urn::master-firewall",
        "slave": "urn::slave-firewall",
    }


def test_what_pulumi_is_still_to_delete_is_not_expected() -> None:
    deleted = {**node_command(SLAVE), "delete": True}

    assert recorded.parse({"deployment": {"resources": [node_command(MASTER), deleted]}}).nodes == [MASTER]


# The command


READ_ONLY = {("config", "--json"), ("stack", "export"), refreshed.COMMAND}


def command(name: str, create: str, address: str = "10.0.0.2") -> dict[str, Any]:
    inputs = {"create": create, "interpreter": ["sh", "-c", "ssh", f"vagrant@{address}"]}
    return {"urn": f"urn::{name}", "type": "command:local:Command", "inputs": inputs}


def node_command(wanted: WantedNode) -> dict[str, Any]:
    script = configure_node(node_id=wanted.id, role=wanted.role, labels=wanted.labels)
    made = command(f"{wanted.host}-node", script)
    made["inputs"]["delete"] = retire_node(node_id=wanted.id, drain_timeout=600)
    return made


@dataclass
class Hosts:
    """Two hosts and Pulumi, as the command finds them. They fail the test if they are asked to change anything."""

    nodes: list[dict[str, Any]] = field(default_factory=lambda: [node(MASTER), node(SLAVE)])
    probes: dict[str, str] = field(
        default_factory=lambda: {
            "master": probed("m1", "postgres-master", "object-store-volume"),
            "slave": f"{probed('s1', 'object-store-volume')}\ncontainer|swarm-transfer-firewall||",
        }
    )
    refresh: dict[str, Any] = field(default_factory=lambda: {"changeSummary": {"same": 60}})
    roles: list[str] = field(default_factory=lambda: ["manager", "worker"])
    resources: list[dict[str, Any]] = field(
        default_factory=lambda: [
            node_command(MASTER),
            node_command(SLAVE),
            command("postgres-owner", chown_volume(volume="postgres-master", owner=999, image="haproxy")),
            command("data", create_volume(volume="object-store-volume", owner=9, image="haproxy"), "10.0.0.3"),
            command("slave-firewall", load_firewall(host="slave", image="x:1", rules="# rules", gone=[]), "10.0.0.3"),
            {"urn": "urn::seed", "type": "random", "inputs": {}},
            {"urn": "urn::files", "type": "docker:index/service:Service", "id": "files-id", "inputs": {}},
        ]
    )
    silent: list[str] = field(default_factory=list)

    def pulumi(self, *arguments: str, stdin: str | None = None) -> str:
        assert arguments in READ_ONLY
        assert stdin is None
        match arguments[0]:
            case "config":
                hosts = [
                    {"name": name, "address": f"10.0.0.{number}", "role": role, "state": "active"}
                    for number, (name, role) in enumerate(zip(("master", "slave"), self.roles, strict=True), start=2)
                ]
                # Not in the swarm yet, so it is not asked.
                hosts.append({"name": "new", "address": "10.0.0.9", "role": "worker", "state": "active"})
                config = {"hosts": hosts, "ssh": {"private_key_file": "k", "known_hosts_file": "h"}}
                return json.dumps({f"swarm-transfer:{name}": {"objectValue": value} for name, value in config.items()})
            case "stack":
                return json.dumps({"deployment": {"resources": self.resources}})
        return json.dumps(self.refresh)

    def ask(self, host: SshTarget, script: str, **_: Any) -> str:
        if host.name in self.silent:
            raise SshError("ssh: connect to host: No route to host")
        if script == SCRIPT:
            return self.probes[host.name]
        assert script == render("print_cluster", folder=health.SCRIPTS)
        (manager,) = [node for node in self.nodes if node["Description"]["Hostname"] == host.name]
        if manager["Spec"]["Role"] != "manager":
            raise SshError("this node is not a swarm manager")
        return "\n".join(map(json.dumps, (self.nodes, [service("files")], [])))


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> Hosts:
    found = Hosts()
    for module in (stack, recorded, refreshed):
        monkeypatch.setattr(module, "pulumi", found.pulumi)
    for module in (preflight, health):
        monkeypatch.setattr(module, "ask", found.ask)
    monkeypatch.setattr("sys.argv", ["drift"])
    return found


def test_a_cluster_as_it_was_made_has_no_drift(hosts: Hosts, capsys: pytest.CaptureFixture[str]) -> None:
    before = copy.deepcopy(hosts)

    assert drift.main() == 0

    assert capsys.readouterr().out == "nothing was changed by hand\n"
    assert hosts == before


def test_all_changes_are_listed_with_the_remedy_at_the_end(hosts: Hosts, capsys: pytest.CaptureFixture[str]) -> None:
    hosts.nodes[1]["Spec"]["Availability"] = "drain"
    hosts.probes["slave"] = probed("s1")
    hosts.refresh = update(
        {"mode": {"replicated": {"replicas": 3}}},
        {"mode": {"replicated": {"replicas": 5}}},
        "mode.replicated.replicas",
    )

    assert drift.main() == 2

    drained, volume, firewall, replicas, remedy = capsys.readouterr().out.splitlines()
    assert drained.startswith("slave: somebody drained it")
    assert volume.startswith("object-store-volume: the volume was deleted on slave")
    assert firewall.startswith("slave: its firewall does not run")
    assert replicas == "files: replicas are 5 instead of 3"
    assert remedy == "`pulumi up --refresh` puts back what has no command of its own above."


def test_another_manager_is_asked_if_the_first_one_was_made_a_worker(
    hosts: Hosts, capsys: pytest.CaptureFixture[str]
) -> None:
    second = WantedNode(host="slave", id="s1", role="manager", labels=SLAVE.labels)
    hosts.roles = ["manager", "manager"]
    hosts.resources[1] = node_command(second)
    hosts.nodes = [node(MASTER, Role="worker"), node(second)]

    assert drift.main() == 2
    assert capsys.readouterr().out.splitlines()[0].startswith("master: it is a worker instead of a manager")


def test_what_is_known_is_listed_before_a_host_that_does_not_answer(
    hosts: Hosts, capsys: pytest.CaptureFixture[str]
) -> None:
    hosts.silent = ["slave"]
    hosts.nodes[0]["Spec"]["Labels"]["rack"] = "1"

    assert drift.main() == 1

    said = capsys.readouterr()
    assert said.out.splitlines() == [
        "master: the label rack=1 was added: `docker node update --label-rm rack m1` removes it"
    ]
    assert said.err.startswith("slave: cannot be reached (ssh: connect to host: No route to host)")


def test_no_manager_answers(hosts: Hosts, capsys: pytest.CaptureFixture[str]) -> None:
    hosts.silent = ["master"]

    assert drift.main() == 1
    assert "master: ssh: connect to host" in capsys.readouterr().err


def test_a_stack_without_nodes_is_refused(hosts: Hosts, capsys: pytest.CaptureFixture[str]) -> None:
    hosts.resources = []

    assert drift.main() == 1
    assert capsys.readouterr().err == "the stack has no nodes: run `pulumi up` first\n"


@pytest.mark.parametrize(
    ("printed", "errors", "shown"),
    [
        (
            json.dumps(
                {
                    "diagnostics": [
                        {"message": "a warning\n", "severity": "warning"},
                        {"message": "error: Preview failed: cannot connect\n", "severity": "error"},
                        {"message": "error: Preview failed: cannot connect\n", "severity": "error"},
                    ]
                }
            ),
            "",
            "failed: error: Preview failed: cannot connect",
        ),
        ("", "error: no stack selected\n", "failed: error: no stack selected"),
        ("not JSON\n", "", "failed: not JSON"),
    ],
)
def test_why_pulumi_failed_is_shown(monkeypatch: pytest.MonkeyPatch, printed: str, errors: str, shown: str) -> None:
    done = subprocess.CompletedProcess[str]([], 255, printed, errors)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)

    with pytest.raises(OperationError) as failure:
        refreshed.pulumi(*refreshed.COMMAND)

    assert str(failure.value).endswith(shown)
