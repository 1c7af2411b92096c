"""With the setting `firewall`, every host gets rules before any host joins, and nobody is locked out."""

import json
import os
import re
import subprocess
from base64 import urlsafe_b64decode
from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from recorder import PASSWORDS, Monitor, Recorder, revealed
from variants import hosts_with

from components import commands, registry, shell
from components.firewall_rules import firewall_rules

Run = Callable[..., Recorder]

REGISTRY = {"address": "registry.example:5000", "username": "swarm", "password": "registry-Horse-battery"}


# The rules


def test_the_rules_drop_what_they_do_not_let_in() -> None:
    rules = firewall_rules(hosts=[IPv4Address("192.168.50.10"), IPv4Address("192.168.50.9")], ports=[8086, 5001, 8086])

    assert rules == (
        "add table inet swarm_transfer\n"
        "delete table inet swarm_transfer\n"
        "table inet swarm_transfer {\n"
        "  chain from_hosts {\n"
        "    tcp dport { 2377, 7946 } accept\n"
        "    udp dport { 4789, 7946 } accept\n"
        "    meta l4proto esp accept\n"
        "  }\n"
        "  # Former hosts, which may still have tasks that end. The container adds them, and later removes them.\n"
        "  chain leaving {\n"
        "  }\n"
        "  chain input {\n"
        "    type filter hook input priority filter; policy drop;\n"
        "    iif lo accept\n"
        "    ct state established,related accept\n"
        "    meta l4proto { icmp, icmpv6 } accept\n"
        "    # DHCPv6 is asked by multicast, so its answers belong to no known connection.\n"
        "    ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept\n"
        "    tcp dport $ssh_port accept\n"
        "    tcp dport { 5001, 8086 } accept\n"
        "    ip saddr { 192.168.50.9, 192.168.50.10 } jump from_hosts\n"
        "    jump leaving\n"
        "  }\n"
        "}\n"
    )


def test_the_order_of_hosts_and_ports_changes_nothing() -> None:
    addresses = [IPv4Address("192.168.50.3"), IPv4Address("192.168.50.2")]

    assert firewall_rules(hosts=addresses, ports=[1, 2]) == firewall_rules(hosts=addresses[::-1], ports=[2, 1])


# The program


def firewalls(recorder: Recorder) -> dict[str, dict[str, Any]]:
    return {
        name.removesuffix("-firewall"): command
        for name, command in recorder.commands().items()
        if name.endswith("-firewall")
    }


def given(command: dict[str, Any]) -> dict[str, str]:
    return shell.variables_and_arguments(command["create"])[0]


def test_without_the_setting_there_is_no_firewall(run_once: Run, values: dict[str, Any]) -> None:
    assert [resource.name for resource in run_once(values).resources if "firewall" in resource.name] == []


def test_every_host_has_a_firewall_that_lets_in_all_hosts(run_once: Run, values: dict[str, Any]) -> None:
    values |= {**hosts_with("manager", "worker", "worker"), "firewall": {}}
    recorder = run_once(values)

    found = firewalls(recorder)
    assert list(found) == ["host2", "host3", "host4"]
    addresses = [IPv4Address(host["address"]) for host in values["hosts"]]
    for host, command in found.items():
        assert given(command)["HOST"] == host
        assert given(command)["RULES"] == firewall_rules(hosts=addresses, ports=[5001])
        assert re.fullmatch(r"localhost/swarm-transfer/firewall:[0-9a-f]{12}", given(command)["IMAGE"])
        assert command["delete"] == commands.remove_firewall(image=given(command)["IMAGE"])
        assert f"firewall-image-{host}" in recorder.dependencies[f"{host}-firewall"]


def test_a_firewall_that_is_replaced_is_removed_first(
    run_program: Run, values: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the removal of the old one would remove the new one."""
    replaced_first: set[str] = set()
    register = Monitor.RegisterResource

    def watch(monitor: Monitor, request: Any) -> Any:
        if request.deleteBeforeReplace:
            replaced_first.add(request.name)
        return register(monitor, request)

    monkeypatch.setattr(Monitor, "RegisterResource", watch)

    run_program({**values, "firewall": {}})

    assert {"master-firewall", "slave-firewall"} <= replaced_first


def test_no_host_joins_before_every_host_lets_it_in(run_once: Run, values: dict[str, Any]) -> None:
    """It is also the last thing that is removed: a host leaves the swarm first."""
    recorder = run_once({**values, **hosts_with("manager", "worker", "worker"), "firewall": {}})

    for host in ("host2", "host3", "host4"):
        joined = recorder.dependencies[f"{host}-membership"]
        assert {"host2-firewall", "host3-firewall", "host4-firewall"} <= joined


def test_all_published_ports_and_the_further_ones_are_open(run_once: Run, values: dict[str, Any]) -> None:
    published = ["influxdb", "prometheus", "alertmanager", "grafana", "edge"]
    values |= {"firewall": {"ports": [9100, 5000]}, "edge_port": 443, "monitoring": {"publish": published}}

    for command in firewalls(run_once(values)).values():
        assert "tcp dport { 443, 3000, 5000, 8086, 8087, 8405, 9090, 9093, 9100 } accept" in given(command)["RULES"]


def test_hosts_that_are_gone_are_shut_out(run_once: Run, values: dict[str, Any]) -> None:
    hosts = hosts_with("manager", "worker", "worker")["hosts"]
    hosts[2]["state"] = "gone"

    found = firewalls(run_once({**values, "hosts": hosts, "firewall": {}}))

    assert list(found) == ["host2", "host3"]
    for command in found.values():
        assert "ip saddr { 192.168.50.2, 192.168.50.3 } jump from_hosts" in given(command)["RULES"]
        assert given(command)["GONE"] == "192.168.50.4"


def test_the_image_of_a_registry_is_pulled_with_its_login(
    run_program: Run, values: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "ask", lambda *_: "{}\n200\n")

    recorder = run_program({**values, "firewall": {}, "registry": REGISTRY}, secrets=(*PASSWORDS, "registry"))

    for command in firewalls(recorder).values():
        assert re.fullmatch(
            r"registry\.example:5000/swarm-transfer/firewall:[0-9a-f]{12}@sha256:0{64}", given(command)["IMAGE"]
        )
        assert json.loads(urlsafe_b64decode(revealed(command["stdin"]))) == {
            "username": "swarm",
            "password": "registry-Horse-battery",
            "serveraddress": "registry.example:5000",
        }


def test_a_registry_without_a_login_gets_none(run_once: Run, values: dict[str, Any]) -> None:
    recorder = run_once({**values, "firewall": {}, "registry": {"address": "registry.example:5000"}})

    assert all("stdin" not in command for command in firewalls(recorder).values())


# The scripts on a host

RULES = "add table inet swarm_transfer\ntcp dport $ssh_port accept\n"
LOCAL = "localhost/swarm-transfer/firewall:1"
PUSHED = f"registry.example:5000/swarm-transfer/firewall@sha256:{'0' * 64}"

DOCKER = """#!/bin/sh
case $1 in
  run)
    echo "$*" | tr '\\n' ' ' >>calls
    echo >>calls
    case "$*" in *' sh /opt/firewall/load.sh') echo "$*" >loaded; cat says >&2; exit "$(cat status)" ;; esac ;;
  image) [ -e image ] ;;
  *) echo "$*" >>calls ;;
esac
"""
CURL = """#!/bin/sh
echo "curl $*" >>calls
cat >header
cat says
[ -e refused ] || touch image
"""


class Host:
    """A host with a fake docker and a fake curl."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, text in (("docker", DOCKER), ("curl", CURL)):
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)
        for name, text in (("status", "0"), ("says", ""), ("image", ""), ("calls", "")):
            (folder / name).write_text(text)

    def run(self, script: str, *, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        known = {"PATH": f"{self.folder}:{os.environ['PATH']}", "SSH_CONNECTION": "10.0.2.2 50000 10.0.2.15 2222"}
        return subprocess.run(
            ["sh", "-c", script],
            input=stdin,
            cwd=self.folder,
            env={**known, **variables},
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def calls(self) -> list[str]:
        """What was run, of `docker run` only whether it stays, and its name."""
        short = {"--rm": "once", "--detach": "stays"}
        return [
            next((word for option, word in short.items() if option in line.split()), line)
            for line in (self.folder / "calls").read_text().splitlines()
        ]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def load(image: str = LOCAL) -> str:
    return commands.load_firewall(host="slave", image=image, rules=RULES, gone=["192.168.50.5", "192.168.50.4"])


def test_the_rules_are_tried_before_the_container_is_replaced(host: Host) -> None:
    done = host.run(load())

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert host.calls == ["once", "rm --force swarm-transfer-firewall", "stays"]
    loaded = (host.folder / "loaded").read_text()
    assert f" --env RULES={RULES} --env GONE=192.168.50.4 192.168.50.5 --env SSH_PORT=2222 " in loaded


def test_the_container_may_set_rules_and_nothing_else(host: Host) -> None:
    host.run(load())

    first, _, second = (host.folder / "calls").read_text().splitlines()
    rights = (
        "run --pull never --network host --user 0:10016 --cap-drop ALL --cap-add NET_ADMIN --read-only "
        "--security-opt no-new-privileges --memory 64m --pids-limit 20"
    )
    assert first.startswith(rights)
    assert second.startswith(rights)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (3, "its kernel has no nf_tables: run `modprobe nf_tables` there, or remove `firewall` from the settings"),
        (1, "its kernel did not take the rules of the firewall; those that it had before are still loaded"),
        (125, f"its Docker Engine did not run {LOCAL}"),
    ],
)
def test_if_the_rules_cannot_be_loaded_the_log_is_shown_and_the_container_stays(
    host: Host, status: int, message: str
) -> None:
    (host.folder / "status").write_text(str(status))
    (host.folder / "says").write_text("the container's log\n")

    done = host.run(load())

    assert (done.returncode, done.stderr) == (1, f"the container's log\nslave: {message}\n")
    assert host.calls == ["once"]


def test_without_the_port_of_ssh_nothing_is_closed(host: Host) -> None:
    done = host.run(load(), SSH_CONNECTION="")

    assert done.returncode == 1
    assert done.stderr.startswith("slave: its ssh server does not say at which port it was reached: ")
    assert host.calls == []


def test_an_image_that_is_not_here_is_pulled_with_the_login_which_is_in_no_argument(host: Host) -> None:
    (host.folder / "image").unlink()

    assert host.run(load(PUSHED), stdin="bG9naW4=").returncode == 0
    pull = host.calls[0]
    assert pull.endswith(
        f"/images/create?fromImage=registry.example:5000/swarm-transfer/firewall&tag=sha256:{'0' * 64}"
    )
    assert "bG9naW4=" not in pull
    assert (host.folder / "header").read_text() == "X-Registry-Auth: bG9naW4=\n"


def test_an_image_that_cannot_be_pulled_is_named_with_the_reason(host: Host) -> None:
    (host.folder / "image").unlink()
    (host.folder / "refused").touch()
    (host.folder / "says").write_text('{"status":"Pulling"}\n{"message":"unauthorized"}\n')

    done = host.run(load(PUSHED))

    assert (done.returncode, done.stderr) == (1, f'slave: cannot pull {PUSHED}: {{"message":"unauthorized"}}\n')


def test_the_container_is_removed_with_its_rules(host: Host) -> None:
    done = host.run(commands.remove_firewall(image=LOCAL))

    assert done.returncode == 0
    assert host.calls == ["rm --force swarm-transfer-firewall", "once"]
    assert (host.folder / "calls").read_text().endswith(f" --rm {LOCAL} sh /opt/firewall/unload.sh \n")
