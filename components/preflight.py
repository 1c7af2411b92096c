"""Checks every host before anything is changed: can it be used, which data does it hold, are its ports free.

A machine that the program itself creates is not there yet. It is checked alone, when it is.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pulumi

from . import data_hosts, host_networks, platforms
from .data_hosts import CopiedData, Data
from .host_networks import NamedNetworks
from .ports import PublishedPort, taken_ports
from .probe import SCRIPT, Probe, parse
from .registry import Login, refusals
from .ssh import SshError, SshTarget, ask

# Text in ssh's error, its reason, the remedy. The first match counts.
_SSH_FAILURES = (
    ("REMOTE HOST IDENTIFICATION HAS CHANGED", "its host key has changed",
     "if the host was recreated, record its key again (`vagrant up` does); if not, find out which machine answers"),
    ("Host key verification failed", "its host key is not known",
     "add the key to ssh.known_hosts_file (`vagrant up` does)"),
    ("UNPROTECTED PRIVATE KEY FILE", "ssh refuses the private key file", "run `chmod 600` on ssh.private_key_file"),
    ("Permission denied (", "it refuses the user or the key", "check ssh.user and ssh.private_key_file"),
    ("permission denied while trying to connect to the Docker", "the user may not use Docker",
     "add the user of ssh.user to the group docker"),
    ("containerd.sock", "its Docker Engine does not use the host's own containerd, which cAdvisor asks",
     "install Docker from packages, then `systemctl enable --now containerd && systemctl restart docker` there"),
    ("in containerd's store", "its Docker Engine is older than 28 and cannot build images in containerd's store",
     'set `"features": {"containerd-snapshotter": false}` in /etc/docker/daemon.json there, or upgrade it'),
    ("containerd's snapshotter", "its Docker Engine keeps images in a store where cAdvisor sees no containers",
     'let it use overlayfs: remove "storage-driver" from /etc/docker/daemon.json there, and restart it'),
    ("is not installed", "it lacks a program", "install Docker Engine and curl there"),
    ("The swarm does not have a leader", "its swarm has lost most of its managers",
     "start the managers that are down"),
    ("Cannot connect to the Docker daemon", "its Docker Engine does not run", "start it: `systemctl start docker`"),
)  # fmt: skip

_REMEDIES_OF_CREATED = {
    "its host key has changed": "find out which machine answers at this address: the program gave its own another key",
    "its host key is not known": "give the machine the key that the program made for it, and no other, before its ssh "
    "server starts (cloud-init's `ssh_keys` does)",
}
"""The remedies, by reason, that differ for a machine that the program creates."""

_GONE_SECONDS = 5
"""How long a host that is said to be gone has to answer."""

_POLL_SECONDS = 5
"""How long to wait before a machine that is not ready yet is asked again."""


class PreflightError(pulumi.RunError):
    """Hosts cannot be used as declared. The text has one line per problem; nothing has been changed on them."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the settings ask of the hosts. `managers` are host names; the first of them creates the swarm.

    `storage` says where the files are, as the nodes' label does.
    With a `registry`, one host builds our own images for all, and all hosts log in there.
    """

    stack: str
    managers: Sequence[str]
    networks: NamedNetworks
    storage: str = ""
    data: Sequence[Data | CopiedData] = ()
    ports: Sequence[PublishedPort] = ()
    registry: Login | None = None


@dataclass(frozen=True, kw_only=True)
class Found:
    """What the hosts are: the names of the hosts of each kind of data, and each host's platform by its name.

    `mtu` is that of the interfaces between them, in bytes; overlay networks are made for it.
    """

    data_hosts: Mapping[str, list[str]]
    platforms: Mapping[str, str]
    mtu: int


def check(targets: Sequence[SshTarget], plan: Plan, gone: Sequence[SshTarget] = ()) -> Found:
    """Probe all hosts at once, and return what they are.

    The hosts in `gone` are not to be used, and are refused if one is still in a swarm.

    Raises:
        PreflightError: a host cannot be used; the text names each problem and its remedy.
    """
    with ThreadPoolExecutor(max_workers=32) as pool:
        lost = pool.map(lambda target: probe_host(target, timeout=_GONE_SECONDS), gone)
        answers = list(pool.map(probe_host, targets))
        _refuse(
            [
                *(answer for answer in answers if isinstance(answer, str)),
                *(problem for target, answer in zip(gone, lost, strict=True) for problem in _alive(target, answer)),
            ]
        )
    probes = {target.name: answer for target, answer in zip(targets, answers, strict=True) if isinstance(answer, Probe)}
    addresses = {target.name: target.address for target in targets}
    # Another swarm is reported first and alone: the data and ports of its hosts are not ours to judge.
    _refuse(conflicts(probes, addresses, managers=plan.managers, stack=plan.stack))
    located = {data.kind: data_hosts.locate(data, probes) for data in plan.data}
    hosts = {kind: names for kind, (names, _) in located.items()}
    found = Found(
        data_hosts=hosts,
        platforms={name: probe.platform for name, probe in probes.items()},
        mtu=host_networks.mtu(probes, addresses, plan.networks),
    )
    _refuse(
        [
            *(problem for _, problems in located.values() for problem in problems),
            *data_hosts.left_behind(probes, gone={target.name for target in gone}),
            *data_hosts.left_in_another_storage(plan.storage, probes, stack=plan.stack),
            *taken_ports(plan.ports, probes),
            *platforms.unsuitable(found.platforms, registry=plan.registry is not None),
            *(refusals(targets, plan.registry) if plan.registry else []),
            *host_networks.problems(probes, addresses, plan.networks, first_manager=plan.managers[0]),
        ]
    )
    for warning in crowded(plan.managers[0], probes[plan.managers[0]], operations_at_a_time()):
        pulumi.log.warn(warning)
    return found


def check_created(
    target: SshTarget, *, address: str, platform: str, networks: NamedNetworks | None, timeout: int
) -> Probe:
    """Return the state of a machine that the program has just created, once it can be used as a host.

    Until then, it may boot and install its programs for `timeout` seconds. `address` is the one that it has in the
    network between the hosts. With `networks`, its interfaces must go with them.

    Raises:
        PreflightError: the host cannot be used; the text names the problem and its remedy.
    """
    deadline = time.monotonic() + timeout
    while True:
        probe = probe_host(target)
        problems = [probe] if isinstance(probe, str) else _network_problems(target.name, probe, address, networks)
        if isinstance(probe, Probe) and not problems:
            break
        if time.monotonic() > deadline:
            raise PreflightError("\n".join(problems))
        time.sleep(_POLL_SECONDS)
    if unsuitable := platforms.other_than_declared(target.name, probe.platform, declared=platform):
        raise PreflightError("\n".join(unsuitable))
    return probe


def check_membership(name: str, probe: Probe, first_manager: SshTarget, *, address: str, stack: str) -> None:
    """Refuse a machine that the program has created if it is in another swarm than the stack's.

    `probe` is its state. The first manager is asked only if that is another machine and this one is in a swarm;
    `address` is the first manager's in the network between the hosts.

    Raises:
        PreflightError: the machine is in another swarm, or the first manager cannot be asked.
    """
    if name == first_manager.name:
        for warning in crowded(name, probe, operations_at_a_time()):
            pulumi.log.warn(warning)
    if probe.swarm.get("LocalNodeState") == "inactive":
        return
    manager = probe if name == first_manager.name else probe_host(first_manager)
    if isinstance(manager, str):
        raise PreflightError(manager)
    probes = {first_manager.name: manager, name: probe}
    if problems := conflicts(probes, {first_manager.name: address}, managers=[first_manager.name], stack=stack):
        raise PreflightError("\n".join(problems))


def _network_problems(name: str, probe: Probe, address: str, networks: NamedNetworks | None) -> list[str]:
    if networks is None:
        return []
    return host_networks.problems({name: probe}, {name: address}, networks, first_manager=name)


def operations_at_a_time() -> int | None:
    """Return how many operations Pulumi runs at a time (`--parallel`); None if it does not say."""
    parallel: int | None = pulumi.runtime.settings.SETTINGS.parallel
    return parallel


def crowded(first_manager: str, probe: Probe, parallel: int | None) -> Iterator[str]:
    """Yield a warning if Pulumi begins more operations at a time than the first manager's ssh server takes logins."""
    if parallel and probe.startups and parallel > probe.startups:
        yield (
            f"{first_manager}: Pulumi begins {parallel} operations at a time, and its ssh server refuses logins at "
            f"random while {probe.startups} others have not finished: set `MaxStartups 100:30:200` in its sshd_config, "
            f"or use `--parallel {probe.startups}` (PULUMI_PARALLEL={probe.startups})"
        )


def conflicts(
    probes: Mapping[str, Probe], addresses: Mapping[str, str], *, managers: Sequence[str], stack: str
) -> list[str]:
    """Return one line for every host in another swarm, or one for a first manager that does not manage ours yet.

    A manager belongs to our swarm if its node label has the stack's name. A worker cannot read labels: it belongs to
    our swarm if that swarm exists and one of our managers is among the managers that the worker knows.
    """
    if locked := [name for name, probe in probes.items() if probe.swarm.get("LocalNodeState") == "locked"]:
        return [
            f"{name}: its manager is locked: run `python -m operations.unlock`; if it is in another swarm, run "
            "`docker swarm leave --force` there"
            for name in locked
        ]
    first_manager = probes[managers[0]]
    leaders = [name for name, probe in probes.items() if probe.is_manager and probe.stack == stack]
    if leaders and not first_manager.is_manager:
        remedy = f"keep {leaders[0]} the first manager until a `pulumi up` has made {managers[0]} a manager"
        return [f"{managers[0]}: does not manage this stack's swarm yet and so cannot be the first manager: {remedy}"]
    our_cluster = _cluster(first_manager)
    manager_addresses = {addresses[name] for name in managers}
    problems = []
    for name, probe in probes.items():
        state = probe.swarm.get("LocalNodeState")
        if state == "inactive":
            continue
        if state != "active":
            problems.append(f'{name}: its swarm membership is "{state}": run `docker swarm leave --force` there')
        elif probe.is_manager:
            if probe.stack != stack or (our_cluster and _cluster(probe) != our_cluster):
                problems.append(_in_another_swarm(name))
        elif not our_cluster or not manager_addresses & _remote_managers(probe):
            problems.append(_in_another_swarm(name))
    return problems


def explain(name: str, error: str, *, created: bool = False) -> str:
    """Return ssh's error as one line with the host, the reason and the remedy.

    `created` says that the program creates the host itself, so that its address and key are not in the settings.
    """
    for marker, reason, remedy in _SSH_FAILURES:
        if marker in error:
            return f"{name}: {reason}: {_REMEDIES_OF_CREATED.get(reason, remedy) if created else remedy}"
    last = error.splitlines()[-1] if error else "no reason given"
    remedy = (
        "is it running, and does its firewall let this machine's ssh in? Look at its console, or create another one"
        if created
        else f"is it running (`vagrant up {name}`), is its address right? "
        "If it is lost for good, add `state: gone` to its entry in `hosts`"
    )
    return f"{name}: cannot be reached ({last}): {remedy}"


def probe_host(target: SshTarget, *, timeout: int = 60) -> Probe | str:
    """Return the host's state or, if it cannot be asked within `timeout` seconds, the problem."""
    try:
        return parse(ask(target, SCRIPT, timeout=timeout))
    except SshError as error:
        problem = explain(target.name, str(error), created=bool(target.host_key))
        through = f"{target.name} (through {target.jump.address})" if target.jump else target.name
        return f"{through}{problem.removeprefix(target.name)}"


def _alive(target: SshTarget, answer: Probe | str) -> Iterator[str]:
    """Yield a problem if a host that is said to be gone is still in a swarm. A new machine in its place is in none."""
    if isinstance(answer, Probe) and answer.swarm.get("LocalNodeState") != "inactive":
        yield (
            f"{target.name}: its `state` in `hosts` is gone, but it answers and is in a swarm: "
            "remove its `state` to use it again, or shut it down for good"
        )


def _refuse(problems: Iterable[str]) -> None:
    if lines := list(problems):
        raise PreflightError(
            "the hosts cannot be used as the settings say; nothing was changed:\n  " + "\n  ".join(lines)
        )


def _cluster(probe: Probe) -> str:
    cluster = probe.swarm.get("Cluster")
    return str(cluster.get("ID", "")) if isinstance(cluster, Mapping) else ""


def _remote_managers(probe: Probe) -> set[str]:
    managers = probe.swarm.get("RemoteManagers")
    return {str(m["Addr"]).rpartition(":")[0] for m in managers} if isinstance(managers, list) else set()


def _in_another_swarm(name: str) -> str:
    return f"{name}: is in another swarm: run `docker swarm leave --force` there, or remove it from `hosts`"
