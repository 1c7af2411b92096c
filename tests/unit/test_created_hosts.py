"""Hosts that the program itself creates: nothing runs on one before it has been checked, alone, when it is up."""

import asyncio
import gc
import json
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pulumi
import pulumi_command as command
import pytest
from pulumi.runtime import mocks, rpc
from recorder import FRESH, Monitor, Recorder

from components import images, preflight
from components.created import CreatedTarget
from components.firewall import Firewall, FirewallArgs
from components.host import Host, HostArgs
from components.host_networks import NamedNetworks
from components.preflight import PreflightError, check_created, check_membership
from components.probe import Probe, parse
from components.ssh import SshError, SshTarget
from components.swarm import SwarmCluster, SwarmClusterArgs

ENGINE = "pulumi:providers:docker"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFkZVzupcfkEposj1yPcY3nRNTmnUXA+f87U0MSgteFx"
NETWORKS = NamedNetworks(
    private_cidr=IPv4Network("10.1.0.0/24"), subnets={"files": IPv4Network("10.0.10.0/24")}, mtu=1450
)
OURS = {"LocalNodeState": "active", "ControlAvailable": True, "Cluster": {"ID": "ours"}}
OF_THE_MANAGER = f"{json.dumps(OURS)}\nplatform|linux/amd64\nstack|lab\n"
TARGET = SshTarget(
    name="m1",
    address="198.51.100.2",
    user="op",
    private_key_file=Path("k"),
    known_hosts_file=Path("none"),
    host_key=KEY,
)

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*register_resource.*:pytest.PytestUnraisableExceptionWarning",
    "ignore:.*register_resource.*was never awaited:RuntimeWarning",
)
"""Pulumi leaves the registrations that wait when the program fails to the garbage collector."""


def ready(*interfaces: str) -> str:
    """The probe's output on a new machine with these interfaces."""
    return FRESH + "".join(f"interface|{interface}\n" for interface in interfaces)


def worker(manager: str) -> str:
    state = {"LocalNodeState": "active", "ControlAvailable": False, "RemoteManagers": [{"Addr": f"{manager}:2377"}]}
    return f"{json.dumps(state)}\nplatform|linux/amd64\n"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, to which a pause adds at once what it would take."""
    now = [0.0]
    sleep = lambda seconds: now.__setitem__(0, now[0] + seconds)  # noqa: E731
    monkeypatch.setattr(preflight, "time", SimpleNamespace(monotonic=lambda: now[0], sleep=sleep))
    return now


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A function that sets what a machine answers: one after the other, and the last one for ever."""

    def set_up(*answers: str | SshError) -> None:
        left = list(answers)

        def ask(*_: Any, **__: Any) -> str:
            given = left.pop(0) if len(left) > 1 else left[0]
            if isinstance(given, SshError):
                raise given
            return given

        monkeypatch.setattr(preflight, "ask", ask)

    return set_up


def check(**changes: Any) -> Probe:
    wanted = {"address": "10.1.0.2", "platform": "linux/amd64", "networks": None, "timeout": 300}
    return check_created(TARGET, **(wanted | changes))


def test_a_machine_that_boots_is_asked_until_it_has_all_that_a_host_needs(
    answer: Callable[..., None], clock: list[float]
) -> None:
    answer(
        SshError("ssh: connect to host 198.51.100.2 port 22: Connection refused"),
        SshError("op@198.51.100.2: Permission denied (publickey)."),
        SshError("docker is not installed"),
        ready("eth0|198.51.100.2/32|1500"),
        ready("eth0|198.51.100.2/32|1500", "enp7s0|10.1.0.2/32|1450"),
    )

    assert check(networks=NETWORKS).platform == "linux/amd64"
    assert clock == [20]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            "no answer within 60 s",
            (
                "m1: cannot be reached (no answer within 60 s): is it running, "
                "and does its firewall let this machine's ssh in? Look at its console, or create another one"
            ),
        ),
        ("docker is not installed", "m1: it lacks a program: install Docker Engine and curl there"),
        (
            "Cannot connect to the Docker daemon at unix:///var/run/docker.sock.",
            "m1: its Docker Engine does not run: start it: `systemctl start docker`",
        ),
        (
            "permission denied while trying to connect to the Docker daemon socket",
            "m1: the user may not use Docker: add the user of ssh.user to the group docker",
        ),
        (
            "REMOTE HOST IDENTIFICATION HAS CHANGED!\nHost key verification failed.",
            (
                "m1: its host key has changed: find out which machine answers at this address: "
                "the program gave its own another key"
            ),
        ),
        (
            "No RSA host key is known for 198.51.100.2\nHost key verification failed.",
            (
                "m1: its host key is not known: give the machine the key that the program made for it, and no other, "
                "before its ssh server starts (cloud-init's `ssh_keys` does)"
            ),
        ),
    ],
    ids=["no answer", "no program", "no Engine", "no right", "another key", "another kind of key"],
)
def test_after_its_time_the_problem_is_one_line_with_the_remedy(
    answer: Callable[..., None], clock: list[float], error: str, line: str
) -> None:
    answer(SshError(error))

    with pytest.raises(PreflightError) as raised:
        check(timeout=60)

    assert str(raised.value) == line
    assert 60 < clock[0] < 70


@pytest.mark.usefixtures("clock")
def test_the_interfaces_must_go_with_the_networks(answer: Callable[..., None]) -> None:
    answer(ready("eth0|198.51.100.2/32|1500", "enp7s0|10.1.0.2/32|1400", "eth1|10.0.10.7/24|1500"))

    with pytest.raises(PreflightError) as raised:
        check(networks=NETWORKS)

    small, overlapping = str(raised.value).splitlines()
    assert small.startswith('m1: network.mtu: "1450" is more than the 1400 of its interface enp7s0')
    assert overlapping.startswith('m1: files: "10.0.10.0/24" overlaps 10.0.10.0/24 of its interface eth1')


@pytest.mark.parametrize(
    ("has", "declared", "line"),
    [
        (
            "linux/arm64",
            "linux/amd64",
            (
                'm1: its platform is "linux/arm64", and "linux/amd64" is declared: '
                "declare the platform that it has, or create another machine"
            ),
        ),
        (
            "linux/riscv64",
            "linux/riscv64",
            (
                'm1: its platform is "linux/riscv64", and the images are published for linux/amd64 and linux/arm64 '
                "only: use another machine"
            ),
        ),
    ],
    ids=["another one", "one without images"],
)
def test_a_platform_that_does_not_fit_is_refused_at_once(
    answer: Callable[..., None], clock: list[float], has: str, declared: str, line: str
) -> None:
    answer(FRESH.replace("linux/amd64", has))

    with pytest.raises(PreflightError) as raised:
        check(platform=declared)

    assert str(raised.value) == line
    assert clock == [0]


@pytest.mark.parametrize(
    ("state", "first_manager"),
    [
        (FRESH, SshError("nobody asks it")),
        (worker("10.1.0.2"), OF_THE_MANAGER),
        (OF_THE_MANAGER, OF_THE_MANAGER),
    ],
    ids=["in no swarm", "a worker of ours", "a manager of ours"],
)
def test_a_machine_in_no_other_swarm_may_join(
    answer: Callable[..., None], state: str, first_manager: str | SshError
) -> None:
    answer(first_manager)

    check_membership("w1", parse(state), TARGET, address="10.1.0.2", stack="lab")


@pytest.mark.parametrize(
    "state",
    [worker("10.9.9.9"), OF_THE_MANAGER.replace("ours", "theirs"), OF_THE_MANAGER.replace("stack|lab", "stack|other")],
    ids=["of other managers", "a manager of another one", "of another stack"],
)
def test_a_machine_in_another_swarm_is_refused_with_the_remedy(answer: Callable[..., None], state: str) -> None:
    answer(OF_THE_MANAGER)

    with pytest.raises(PreflightError, match=r"^w1: is in another swarm: run `docker swarm leave --force` there"):
        check_membership("w1", parse(state), TARGET, address="10.1.0.2", stack="lab")


def test_the_first_manager_itself_may_manage_no_other_swarm(answer: Callable[..., None]) -> None:
    answer(SshError("nobody asks it"))
    probe = parse(OF_THE_MANAGER.replace("stack|lab", "stack|other"))

    with pytest.raises(PreflightError, match=r"^m1: is in another swarm"):
        check_membership("m1", probe, TARGET, address="10.1.0.2", stack="lab")


def test_a_first_manager_whose_ssh_server_takes_few_logins_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(preflight, "operations_at_a_time", lambda: 64)
    monkeypatch.setattr(pulumi.log, "warn", warnings.append)
    probe = parse(f"{FRESH}startups|10\n")

    check_membership("w1", probe, TARGET, address="10.1.0.2", stack="lab")
    assert warnings == []
    check_membership("m1", probe, TARGET, address="10.1.0.2", stack="lab")
    assert warnings == list(preflight.crowded("m1", probe, 64))


def test_a_first_manager_that_does_not_answer_is_named(answer: Callable[..., None]) -> None:
    answer(SshError("Connection refused"))

    with pytest.raises(PreflightError, match=r"^m1: cannot be reached"):
        check_membership("w1", parse(worker("10.1.0.2")), TARGET, address="10.1.0.2", stack="lab")


def test_ssh_takes_the_host_key_from_its_options_and_from_no_file() -> None:
    read = subprocess.run(["ssh", "-G", *TARGET.options, TARGET.login], capture_output=True, text=True, check=True)

    settings = dict(line.split(" ", 1) for line in read.stdout.splitlines() if " " in line)
    assert settings["knownhostscommand"] == f"/usr/bin/env echo %H {KEY}"
    assert settings["userknownhostsfile"] == "none"
    assert settings["globalknownhostsfile"] == "none"
    assert settings["stricthostkeychecking"] == "true"


@dataclass
class Cloud(Recorder):
    """A mock engine in which the command `machine` creates one: its output, the address, is known only afterwards."""

    unknown: bool = False

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        identifier, outputs = super().new_resource(args)
        if args.name == "machine":
            outputs["stdout"] = rpc.UNKNOWN if self.unknown else "198.51.100.3"
        return identifier, outputs


def firewall_of(hosts: Sequence[Host]) -> FirewallArgs:
    context = Path(__file__).parents[2] / "services" / "firewall"
    return FirewallArgs(hosts=hosts, ports=[443], context=context, debian_image=images.DEBIAN)


@dataclass
class Program:
    """Runs a program with a first manager from the settings and one worker that it creates."""

    loop: asyncio.AbstractEventLoop
    manager: SshTarget
    recorded: list[Cloud] = field(default_factory=list)

    def run(
        self,
        *,
        preview: bool = False,
        unknown: bool = False,
        host_key: str = KEY,
        firewall: bool = False,
        **changes: Any,
    ) -> Cloud:
        cloud = Cloud(unknown=unknown)
        self.recorded.append(cloud)
        mocks.set_mocks(cloud, "own", "lab", preview=preview, monitor=Monitor(cloud))

        async def program() -> None:
            address = command.local.Command("machine", create="make a machine").stdout
            target = CreatedTarget(
                name="w1", address=address, host_key=host_key, user="op", private_key_file=Path("~/key"), **changes
            )
            hosts = [
                Host("m1", HostArgs(target=self.manager, role="manager")),
                Host("w1", HostArgs(target=target, role="worker", early_images=("x@sha256:0",))),
            ]
            first = Firewall("firewall", firewall_of(hosts)).loaded if firewall else []
            SwarmCluster("swarm", SwarmClusterArgs(hosts=hosts, stack="lab", before_joining=first))

        try:
            self.loop.run_until_complete(pulumi.runtime.stack.run_pulumi_func(program))
        finally:
            self._forget()
        return cloud

    def _forget(self) -> None:
        """End what waits for ever if the program has failed, because Pulumi keeps it for the next program."""
        left = asyncio.all_tasks(self.loop)
        for task in left:
            task.cancel()
        self.loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        settings = pulumi.runtime.settings.SETTINGS
        settings.outputs.clear()
        settings.rpc_manager.clear()
        gc.collect()  # now, and not while pytest reports a failure


@pytest.fixture
def program(loop: asyncio.AbstractEventLoop, target: SshTarget) -> Program:
    return Program(loop, target)


def test_commands_engine_and_swarm_use_the_address_that_the_machine_got(
    program: Program, answer: Callable[..., None]
) -> None:
    answer(FRESH)

    cloud = program.run(port=2222, cluster_address="10.1.0.3")

    words: Sequence[str] = cloud.commands()["w1-images"]["interpreter"]
    assert words[-1] == "op@198.51.100.3"
    assert {"Port=2222", "StrictHostKeyChecking=yes", f"KnownHostsCommand=/usr/bin/env echo %H {KEY}"} <= set(words)
    engine = cloud.of_type(ENGINE)["w1-engine"]
    assert engine["host"] == "ssh://op@198.51.100.3"
    assert set(json.loads(engine["sshOpts"])) <= set(words)
    assert '"AdvertiseAddr": "10.1.0.3"' in str(cloud.commands()["w1-membership"]["stdin"])
    assert "machine" in cloud.dependencies["w1-membership"], "the machine is deleted after it has left the swarm"


def test_the_firewalls_let_in_the_address_that_the_machine_got(program: Program, answer: Callable[..., None]) -> None:
    answer(FRESH)

    cloud = program.run(cluster_address="10.1.0.3", firewall=True)

    for host in ("master", "w1"):
        rules = cloud.commands()[f"{host}-firewall"]["create"]
        assert f"ip saddr {{ 10.1.0.3, {program.manager.address} }} jump from_hosts\n" in rules


def test_a_host_of_the_settings_in_the_same_swarm_is_not_asked_again(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(preflight, "ask", lambda host, *_, **__: asked.append(host.name) or FRESH)

    program.run()

    assert asked == ["w1"]


def test_nothing_runs_on_a_machine_that_cannot_be_used(
    program: Program, answer: Callable[..., None], clock: list[float]
) -> None:
    answer(SshError("docker is not installed"))

    with pytest.raises(PreflightError, match=r"^w1: it lacks a program"):
        program.run()

    assert clock[0] > 300
    (cloud,) = program.recorded
    assert "machine" in cloud.commands()
    assert [name for name in (*cloud.commands(), *cloud.of_type(ENGINE)) if name.startswith("w1-")] == []


def test_a_machine_whose_network_does_not_fit_is_refused_after_the_time_that_it_may_boot(
    program: Program, answer: Callable[..., None], clock: list[float]
) -> None:
    answer(ready("enp7s0|10.1.0.3/32|1400"))

    with pytest.raises(PreflightError, match=r'^w1: network.mtu: "1450" is more than the 1400'):
        program.run(cluster_address="10.1.0.3", networks=NETWORKS, boot_timeout=30)

    assert 30 < clock[0] < 40


def test_a_machine_in_another_swarm_does_not_join(program: Program, answer: Callable[..., None]) -> None:
    answer(worker("10.9.9.9"), OF_THE_MANAGER)

    with pytest.raises(PreflightError, match=r"^w1: is in another swarm"):
        program.run()


def test_a_preview_shows_all_resources_and_asks_nobody(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "ask", lambda *_, **__: pytest.fail("a preview asks nobody"))
    shown = program.run(preview=True, unknown=True)
    monkeypatch.setattr(preflight, "ask", lambda *_, **__: FRESH)

    made = program.run()
    assert {(each.typ, each.name) for each in shown.resources} == {(each.typ, each.name) for each in made.resources}
    assert "interpreter" not in shown.commands()["w1-membership"]


def test_a_preview_of_an_existing_machine_shows_no_change_and_asks_nobody(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight, "ask", lambda *_, **__: FRESH)
    made = program.run()
    monkeypatch.setattr(preflight, "ask", lambda *_, **__: pytest.fail("a preview asks nobody"))

    assert program.run(preview=True).commands() == made.commands()


@pytest.mark.parametrize(
    "host_key",
    ["", "AAAAC3", f"{KEY} a\n{KEY} b", "-----BEGIN OPENSSH PRIVATE KEY-----\nhidden\n", f"@cert-authority * {KEY}"],
    ids=["nothing", "no type", "two keys", "a private key", "an authority"],
)
def test_what_is_not_one_public_host_key_is_refused_and_not_repeated(
    program: Program, answer: Callable[..., None], host_key: str
) -> None:
    answer(FRESH)

    with pytest.raises(pulumi.RunError, match=r"^w1: host_key: is not one public key: give its type") as raised:
        program.run(host_key=host_key)

    assert "hidden" not in str(raised.value)


def test_a_host_key_may_have_a_comment(program: Program, answer: Callable[..., None]) -> None:
    answer(FRESH)

    words = program.run(host_key=f"{KEY} root@somewhere\n").commands()["w1-images"]["interpreter"]

    assert f"KnownHostsCommand=/usr/bin/env echo %H {KEY}" in words
