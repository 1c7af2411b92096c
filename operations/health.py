"""What is wrong in a cluster: nodes that are down, missing tasks, an index without its standby, too few copies."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components import commands, json_documents, patroni, seaweedfs
from components.readiness import expected_tasks
from components.shell import render
from components.ssh import SshError, SshTarget, ask

SCRIPTS = Path(__file__).parent / "scripts"
LOGINS = 16
"""How many hosts are asked at a time."""

_WORKING = ("running", "streaming")
_UPDATING = ("updating", "rollback_started")
_NANOSECONDS = 1_000_000_000


@dataclass(frozen=True)
class Node:
    """A node of the swarm. `host` is the host's name in the settings."""

    id: str
    host: str
    is_ready: bool
    is_active: bool


@dataclass(frozen=True)
class Swarm:
    """A swarm as a manager sees it: the Engine API's documents of its nodes, services, and tasks that should run."""

    nodes: Sequence[dict[str, Any]]
    services: Sequence[dict[str, Any]]
    tasks: Sequence[dict[str, Any]]

    def all_nodes(self) -> list[Node]:
        """Return all nodes."""
        return [_node(node) for node in self.nodes]

    def stop_seconds(self) -> int:
        """Return how long the slowest service's tasks may take to stop, in seconds."""
        containers = [service["Spec"]["TaskTemplate"].get("ContainerSpec", {}) for service in self.services]
        return max((container.get("StopGracePeriod", 0) // _NANOSECONDS for container in containers), default=0)

    def problems(self) -> Iterator[str]:
        """Yield one line for each node or service that is not as it should be. A drained node is not a problem."""
        for document, node in zip(self.nodes, self.all_nodes(), strict=True):
            if not node.is_ready:
                yield f"{node.host} is down"
            elif document.get("ManagerStatus", {}).get("Reachability", "reachable") != "reachable":
                yield f"{node.host} cannot be reached by the other managers"
        running = Counter(task["ServiceID"] for task in self.tasks if task["Status"]["State"] == "running")
        for service in self.services:
            name, wanted = service["Spec"]["Name"], expected_tasks(service, self.nodes)
            if running[service["ID"]] != wanted:
                yield f"{name}: {running[service['ID']]} of {wanted} tasks run"
            elif (service.get("UpdateStatus") or {}).get("State") in _UPDATING:
                yield f"{name} is being updated"

    def count(self, prefix: str) -> int:
        """Return how many services have a name with this prefix."""
        return sum(service["Spec"]["Name"].startswith(prefix) for service in self.services)


def look_at(manager: SshTarget) -> Swarm:
    """Ask a manager for its swarm.

    Raises:
        SshError: it does not answer; the text names it.
    """
    return Swarm(*json_documents.parse(_ask(manager, render("print_cluster", folder=SCRIPTS))))


def look_at_any(managers: Sequence[SshTarget]) -> Swarm:
    """Return the swarm as seen by the first manager that answers. Somebody may have made one of them a worker.

    Raises:
        SshError: none does; the text names each.
    """
    found = []
    for manager in managers:
        try:
            return look_at(manager)
        except SshError as error:
            found.append(str(error))
    raise SshError("\n".join(found) or "no manager is left in `hosts`")


def problems(manager: SshTarget, targets: Sequence[SshTarget]) -> list[str]:
    """Ask the manager for the swarm, and all hosts for their data. Return one line for each problem.

    Raises:
        SshError: a host does not answer; the text names it.
    """
    swarm = look_at(manager)
    members, masters = swarm.count(f"{patroni.SERVICE}-"), swarm.count(f"{seaweedfs.MASTER}-")
    found: dict[str, list[str]] = {"index": [], "few copies": []}
    if members or masters:
        with ThreadPoolExecutor(LOGINS) as pool:
            for answer in pool.map(lambda target: _ask(target, _print_data()), targets):
                for kind, _, value in (line.partition("|") for line in answer.splitlines()):
                    found[kind].append(value)
    return [
        *swarm.problems(),
        *(_index_problems(members, found["index"]) if members else ()),
        *(_copy_problems(found["few copies"]) if masters else ()),
    ]


def _ask(target: SshTarget, script: str) -> str:
    try:
        return ask(target, script)
    except SshError as error:
        raise SshError(f"{target.name}: {error}") from None


def _print_data() -> str:
    return render(
        "print_data",
        folder=SCRIPTS,
        INDEX=patroni.SERVICE,
        INDEX_PORT=patroni.API_PORT,
        INDEX_AUTHORITY=patroni.AUTHORITY_PATH,
        MASTER=seaweedfs.MASTER,
        METRICS_PORT=seaweedfs.METRICS_PORT,
    )


def _node(node: dict[str, Any]) -> Node:
    return Node(
        id=node["ID"],
        host=(node["Spec"].get("Labels") or {}).get(commands.HOST_LABEL, ""),
        is_ready=node["Status"]["State"] == "ready",
        is_active=node["Spec"]["Availability"] == "active",
    )


def _index_problems(wanted: int, answers: Sequence[str]) -> Iterator[str]:
    if not answers:
        yield "no host says how the index is"
        return
    members = json.loads(answers[0])["members"]
    roles = [member["role"] for member in members]
    if roles.count("leader") != 1:
        yield "the index has no primary"
    elif wanted > 1 and "sync_standby" not in roles:
        yield "the index has no synchronous standby"
    if len(members) != wanted:
        yield f"the index has {len(members)} of its {wanted} members"
    for member in members:
        if member["state"] not in _WORKING:
            yield f'the index: {member["name"]} is in the state "{member["state"]}"'


def _copy_problems(answers: Iterable[str]) -> Iterator[str]:
    counts = [int(answer) for answer in answers]
    if not counts:
        yield "no host says how many copies the files have"
    elif few := max(counts):
        yield f"{few} of the object store's volumes have too few copies"
