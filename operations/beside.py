"""Runs one of our programs beside a running task of its service: in the same container, with the same settings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from components.shell import render
from components.ssh import show
from operations import health
from operations.health import SCRIPTS, Swarm
from operations.stack import ConfiguredHosts, OperationError


@dataclass(frozen=True, kw_only=True)
class Program:
    """A Python `module` in the image of a `service`. `absent` tells the user why there may be no such service.

    The scripts `before` run first, and may do it in another way. They have these `variables` besides those of every
    program.
    """

    service: str
    module: str
    absent: str
    before: Sequence[str] = ()
    variables: Mapping[str, str | int] = field(default_factory=dict)


def run(configured: ConfiguredHosts, program: Program, words: Sequence[str], *, stdin: str = "") -> None:
    """Run the program with these words, and show what it says.

    Raises:
        OperationError: the service does not run, or the program has failed and has said why.
    """
    swarm = health.look_at_any(configured.managers)
    target = configured.targets[host_of(swarm, program)]
    # The script itself is on standard input, so what the program is to read is in the script.
    variables = {"SERVICE": program.service, "MODULE": program.module, "INPUT": stdin, **program.variables}
    if status := show(target, script(program, words, variables)):
        raise OperationError(f"{target.name}: `{' '.join([program.module, *words])}` ended with status {status}")


def script(program: Program, words: Sequence[str], variables: Mapping[str, str | int]) -> str:
    """Return the script that runs the program with these words on a host with its service."""
    names = ("find_container", "look_beside", *program.before, "run_beside")
    return render(*names, folder=SCRIPTS, arguments=words, **variables)


def host_of(swarm: Swarm, program: Program) -> str:
    """Return the name of a host that runs the service.

    Raises:
        OperationError: there is no such service, or it does not run.
    """
    ids = [service["ID"] for service in swarm.services if service["Spec"]["Name"] == program.service]
    if not ids:
        raise OperationError(program.absent)
    for task in swarm.tasks:
        if task["ServiceID"] in ids and task["Status"]["State"] == "running":
            return next(node.host for node in swarm.all_nodes() if node.id == task["NodeID"])
    raise OperationError(
        f"the service {program.service} does not run: "
        f"on a manager, `docker service ps --no-trunc {program.service}` says why"
    )
