"""What of a cluster is not as it should be: nodes, tasks, the index's standby, the copies of the files."""

import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components import commands, patroni, seaweedfs
from components.readiness import expected_tasks
from components.shell import render
from components.ssh import SshError, SshTarget, ask

SCRIPTS = Path(__file__).parent / "scripts"
_LOGINS = 16
_WORKING = ("running", "streaming")
_UPDATING = ("updating", "rollback_started")


@dataclass(frozen=True)
class Node:
    """A node of the swarm. `host` is the host's name in the settings."""

    id: str
    host: str
    is_ready: bool
    is_active: bool


@dataclass(frozen=True)
class Health:
    """The swarm's nodes, and one line for each thing that is not as it should be, except nodes that are drained."""

    nodes: list[Node]
    problems: list[str]

    def node(self, host: str) -> Node | None:
        """Return the host's node, or None if it has none."""
        return next((node for node in self.nodes if node.host == host), None)


def examine(manager: SshTarget, targets: Sequence[SshTarget]) -> Health:
    """Ask the manager for nodes and services, and all hosts for their data.

    Raises:
        SshError: a host does not answer; the text names it.
    """
    nodes, services = _documents(_ask(manager, render("print_cluster", folder=SCRIPTS)))
    found = [_node(node) for node in nodes]
    problems = [f"{node.host} is down" for node in found if not node.is_ready]
    problems += [problem for service in services for problem in _service_problems(service, nodes)]
    members = sum(service["Spec"]["Name"].startswith(f"{patroni.SERVICE}-") for service in services)
    if members:
        with ThreadPoolExecutor(_LOGINS) as pool:
            answers = pool.map(lambda target: _ask(target, _print_data()), targets)
            problems += _data_problems(members, (line for answer in answers for line in answer.splitlines()))
    return Health(found, problems)


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


def _service_problems(service: dict[str, Any], nodes: Sequence[dict[str, Any]]) -> Iterator[str]:
    name, running = service["Spec"]["Name"], service["ServiceStatus"]["RunningTasks"]
    if running != (wanted := expected_tasks(service, nodes)):
        yield f"{name}: {running} of {wanted} tasks run"
    elif (service.get("UpdateStatus") or {}).get("State") in _UPDATING:
        yield f"{name} is being updated"


def _data_problems(members: int, lines: Iterable[str]) -> Iterator[str]:
    kinds: dict[str, list[str]] = {"index": [], "few copies": []}
    for line in lines:
        kind, _, value = line.partition("|")
        kinds[kind].append(value)
    if kinds["index"]:
        yield from _index_problems(members, json.loads(kinds["index"][0])["members"])
    else:
        yield "no host says how the index is"
    if few := max(map(int, kinds["few copies"]), default=0):
        yield f"{few} of the object store's volumes have too few copies"


def _index_problems(wanted: int, members: Sequence[dict[str, Any]]) -> Iterator[str]:
    roles = [member["role"] for member in members]
    if roles.count("leader") != 1:
        yield "the index has no primary"
    elif wanted > 1 and "sync_standby" not in roles:
        yield "the index has no synchronous standby"
    if len(members) != wanted:
        yield f"the index: {len(members)} of {wanted} members are there"
    for member in members:
        if member["state"] not in _WORKING:
            yield f'the index: {member["name"]} is in the state "{member["state"]}"'


def _documents(text: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    decoder = json.JSONDecoder()
    nodes, end = decoder.raw_decode(text.lstrip())
    services, _ = decoder.raw_decode(text.lstrip()[end:].lstrip())
    return nodes, services
