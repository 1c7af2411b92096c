"""Waits until a service runs as configured: `pulumi up` returns when it does, and says why if it does not.

pulumi-docker cannot wait for global services, and it deletes a replicated service that does not converge, together with
its logs. So the program itself asks the manager, on every `up`, even on one that changed nothing.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pulumi

from .commands import last_log_lines, print_unanswered
from .deployed import Pace, questions_to
from .ssh import SshError, SshTarget, ask

State = Literal["ready", "waiting", "failed"]

_MAX_FAILURES = 4
"""After this many failed tasks of the wanted version in one slot or on one node, the service has failed."""

VERSION = "SWARM_TRANSFER_VERSION"
"""A variable that every task's command line sets to a hash of the task's configuration.

It distinguishes tasks of this version from others, and shows after a rollback that another version runs. Task
specifications cannot be compared instead, because the provider and Swarm also write into them. A label of the container
would not work either, because the provider replaces a service whose container labels change.
"""

_FAILED_TASK_STATES = ("failed", "rejected")

_REPLACING = ("updating", "rollback_started")
"""Update states in which tasks are still being replaced. A rollback may be going back to the wanted version."""


class ServiceNotReadyError(pulumi.RunError):
    """A service does not run as configured; the text has its tasks' errors and last log lines."""


@dataclass(frozen=True)
class Verdict:
    """The state of a service, and the reason in one line."""

    state: State
    reason: str


def wait(manager: SshTarget, service: str, *, version: str, timeout: int) -> None:
    """Return when every wanted task of the service runs in this version.

    Raises:
        ServiceNotReadyError: it failed, or was not ready within `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    while True:
        tasks: Sequence[Mapping[str, Any]] = []
        nodes: Sequence[Mapping[str, Any]] = []
        try:
            deployed, tasks, nodes = questions_to(manager).ask(service)
            verdict = judge(deployed, tasks, nodes, version=version)
        except SshError as error:
            verdict = Verdict("waiting", f"{manager.name}: {error}")
        if verdict.state == "ready":
            return
        if verdict.state == "failed" or time.monotonic() > deadline:
            raise ServiceNotReadyError(_report(manager, service, verdict, tasks, nodes))


def wait_for_answers(manager: SshTarget, urls: Sequence[str], *, timeout: int) -> None:
    """Return when every URL answers a request from the manager.

    Raises:
        ServiceNotReadyError: a URL did not answer within `timeout` seconds.
    """
    deadline, pace = time.monotonic() + timeout, Pace()
    while problem := _unanswered(manager, urls, pace):
        if time.monotonic() > deadline:
            raise ServiceNotReadyError(problem)


def _unanswered(manager: SshTarget, urls: Sequence[str], pace: Pace) -> str:
    """Return one line that names the URLs without an answer and what to check, or "" if all answer."""
    try:
        with pace:
            printed = set(ask(manager, print_unanswered(urls), timeout=30 + len(urls)).split())
    except SshError as error:
        return f"{manager.name}, which checks that every host answers, cannot be asked: {error}"
    silent = [url for url in urls if url in printed]
    if not silent:
        return ""
    return (
        f"no answer from {', '.join(silent)}: is the port open between the hosts, and does their network carry VXLAN?"
    )


def judge(
    service: Mapping[str, Any],
    tasks: Sequence[Mapping[str, Any]],
    nodes: Sequence[Mapping[str, Any]],
    *,
    version: str,
) -> Verdict:
    """Return the verdict on a service from the Engine API's documents (`/services/ID`, `/tasks`, `/nodes`)."""
    if not service:
        return Verdict("failed", "it does not exist: somebody has removed it")
    update = service.get("UpdateStatus") or {}
    state = update.get("State", "")
    if _version(service["Spec"]["TaskTemplate"]) != version:
        return Verdict("failed", f"another version is deployed ({state or 'changed by somebody else'})")
    if state in ("paused", "rollback_paused"):
        return Verdict("failed", f"its last update ended as {state}: {update.get('Message', '')}")

    current = [task for task in tasks if _version(task["Spec"]) == version]
    failures = Counter(_slot_or_node(task) for task in current if task["Status"]["State"] in _FAILED_TASK_STATES)
    wanted = expected_tasks(service, nodes)
    running = [t for t in current if t["DesiredState"] == "running" and t["Status"]["State"] == "running"]
    leftover = [t for t in tasks if t["DesiredState"] == "running" and t not in current]
    if len(running) == wanted and not leftover and state not in _REPLACING:
        return Verdict("ready", f"{wanted} of {wanted} tasks run")
    reason = f"{len(running)} of {wanted} tasks run"
    if failures and max(failures.values()) >= _MAX_FAILURES:
        return Verdict("failed", reason)
    return Verdict("waiting", reason)


def _version(task: Mapping[str, Any]) -> str:
    """Return the version in a task specification, or "" if the program did not make it."""
    command_line: Sequence[str] = task["ContainerSpec"].get("Command") or []
    return next((word.partition("=")[2] for word in command_line if word.startswith(f"{VERSION}=")), "")


def expected_tasks(service: Mapping[str, Any], nodes: Sequence[Mapping[str, Any]]) -> int:
    """Return how many tasks of the service should run on these nodes."""
    mode = service["Spec"]["Mode"]
    if "Replicated" in mode:
        return int(mode["Replicated"]["Replicas"])
    constraints = service["Spec"]["TaskTemplate"].get("Placement", {}).get("Constraints") or []
    return sum(1 for node in nodes if _eligible(node, constraints))


def _eligible(node: Mapping[str, Any], constraints: Sequence[str]) -> bool:
    """Return whether a global service runs on the node: it is up, active, and meets the constraints.

    Only the kinds of constraints that this program uses are supported.
    """
    if node["Status"]["State"] != "ready" or node["Spec"]["Availability"] != "active":
        return False
    described = node["Description"]
    facts = {
        "node.role": node["Spec"]["Role"],
        "node.hostname": described["Hostname"],
        "node.platform.os": described["Platform"]["OS"],
    }
    facts |= {f"node.labels.{key}": value for key, value in (node["Spec"].get("Labels") or {}).items()}
    for constraint in constraints:
        key, operator, value = constraint.partition("!=" if "!=" in constraint else "==")
        if (facts.get(key.strip()) == value.strip()) != (operator == "=="):
            return False
    return True


def _slot_or_node(task: Mapping[str, Any]) -> str:
    """Return the slot of a replicated task or the node of a global one."""
    return str(task.get("Slot") or task.get("NodeID", ""))


def _report(
    manager: SshTarget,
    service: str,
    verdict: Verdict,
    tasks: Sequence[Mapping[str, Any]],
    nodes: Sequence[Mapping[str, Any]],
) -> str:
    names = {node["ID"]: node["Description"]["Hostname"] for node in nodes}
    newest = sorted(tasks, key=lambda task: str(task["UpdatedAt"]), reverse=True)
    errors = [
        f"{names.get(task.get('NodeID', ''), 'no node')}: {task['Status']['State']}: {task['Status']['Err']}"
        for task in newest
        if task["Status"].get("Err")
    ]
    try:
        # The log of a failed task if there is one, because in the service's log the running tasks' lines bury it.
        failed = [str(task["ID"]) for task in newest if task["Status"]["State"] == "failed"]
        logs = ask(manager, last_log_lines(failed[0] if failed else service)).strip()
    except SshError as error:
        logs = f"cannot be read: {error}"
    lines = [f"service {service} does not run as configured: {verdict.reason}"]
    lines += [f"  task on {error}" for error in dict.fromkeys(errors[:5])]
    lines += ["  last log lines:", *(f"    {line}" for line in logs.splitlines())]
    lines += ["Fix the cause, then run `pulumi up --refresh`."]
    return "\n".join(lines)
