"""A look at every host before the first one is touched: reachable, the right machine, free for this swarm."""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pulumi

from components.commands import CLUSTER_LABEL
from components.ssh import SshError, SshTarget, ask

_PROBE = f"""
command -v docker >/dev/null || {{ echo 'docker is not installed' >&2; exit 1; }}
command -v curl >/dev/null || {{ echo 'curl is not installed' >&2; exit 1; }}
if docker info --format '{{{{json .DriverStatus}}}}' | grep -q 'io.containerd.snapshotter'; then
  echo "the engine keeps images in containerd's store" >&2
  exit 1
fi
docker info --format '{{{{json .Swarm}}}}'
docker node inspect self --format '{{{{index .Spec.Labels "{CLUSTER_LABEL}"}}}}' 2>/dev/null || true
"""

# What ssh says, what it means, what to do: the first match counts.
_SSH_FAILURES = (
    ("REMOTE HOST IDENTIFICATION HAS CHANGED", "its host key has changed",
     "if the host was made anew, record its key again (`vagrant up` does); if not, find out who answers there"),
    ("Host key verification failed", "its host key is not known",
     "add it to ssh.known_hosts_file (`vagrant up` does)"),
    ("UNPROTECTED PRIVATE KEY FILE", "ssh refuses the private key file", "run `chmod 600` on ssh.private_key_file"),
    ("Permission denied (", "it refuses the user or the key", "check ssh.user and ssh.private_key_file"),
    ("permission denied while trying to connect to the Docker", "the user may not use Docker",
     "add the user of ssh.user to the group docker"),
    ("containerd's store", "its Docker Engine keeps images in containerd's store, where cAdvisor sees no containers",
     'set `"features": {"containerd-snapshotter": false}` in /etc/docker/daemon.json there, and restart it'),
    ("is not installed", "it lacks a program", "install Docker Engine and curl there"),
    ("Cannot connect to the Docker daemon", "its Docker Engine does not run", "start it: `systemctl start docker`"),
)  # fmt: skip


class PreflightError(pulumi.RunError):
    """At least one host is not fit to be used; one line a host. Nothing has been changed."""


@dataclass(frozen=True, kw_only=True)
class Probe:
    """What a host says about itself: Docker's swarm state and the name of the stack that made the swarm."""

    swarm: Mapping[str, object]
    stack: str


def check(targets: Sequence[SshTarget], *, managers: Sequence[str], stack: str) -> None:
    """Probe all hosts at once; `managers` are names, the first one makes the swarm.

    Raises:
        PreflightError: naming every host that cannot be used, why, and the remedy.
    """
    with ThreadPoolExecutor(max_workers=32) as pool:
        answers = list(pool.map(_probe, targets))
    problems = [answer for answer in answers if isinstance(answer, str)]
    if not problems:
        probes = {
            target.name: answer for target, answer in zip(targets, answers, strict=True) if isinstance(answer, Probe)
        }
        problems = conflicts(probes, {t.name: t.address for t in targets}, managers=managers, stack=stack)
    if problems:
        raise PreflightError("some hosts cannot be used; nothing was changed:\n  " + "\n  ".join(problems))


def conflicts(
    probes: Mapping[str, Probe], addresses: Mapping[str, str], *, managers: Sequence[str], stack: str
) -> list[str]:
    """One line for every host that is in a swarm other than this stack's.

    A manager carries the stack's name as a node label. A worker cannot see labels: it belongs to us if the
    managers that it talks to are ours and the first manager's swarm exists.
    """
    seed = probes[managers[0]]
    seed_cluster = _cluster(seed)
    manager_addresses = {addresses[name] for name in managers}
    problems = []
    for name, probe in probes.items():
        state = probe.swarm.get("LocalNodeState")
        if state == "inactive":
            continue
        if state != "active":
            problems.append(f"{name}: its swarm membership is «{state}»: run `docker swarm leave --force` there")
        elif probe.swarm.get("ControlAvailable"):
            if probe.stack != stack or (seed_cluster and _cluster(probe) != seed_cluster):
                problems.append(_foreign(name))
        elif not seed_cluster or not manager_addresses & _remote_managers(probe):
            problems.append(_foreign(name))
    return problems


def explain(name: str, error: str) -> str:
    """Turn ssh's words into one line: host, reason, remedy."""
    for marker, reason, remedy in _SSH_FAILURES:
        if marker in error:
            return f"{name}: {reason}: {remedy}"
    last = error.splitlines()[-1] if error else "no reason given"
    return f"{name}: cannot be reached ({last}): is it running (`vagrant up {name}`), is its address right?"


def _probe(target: SshTarget) -> Probe | str:
    try:
        swarm, _, stack = ask(target, _PROBE).partition("\n")
    except SshError as error:
        return explain(target.name, str(error))
    return Probe(swarm=json.loads(swarm), stack=stack.strip())


def _cluster(probe: Probe) -> str:
    cluster = probe.swarm.get("Cluster")
    return str(cluster.get("ID", "")) if isinstance(cluster, Mapping) else ""


def _remote_managers(probe: Probe) -> set[str]:
    managers = probe.swarm.get("RemoteManagers")
    return {str(m["Addr"]).rpartition(":")[0] for m in managers} if isinstance(managers, list) else set()


def _foreign(name: str) -> str:
    return f"{name}: is in another swarm: run `docker swarm leave --force` there, or take it off `hosts`"
