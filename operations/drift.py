"""Says what somebody changed by hand in the cluster since the last `pulumi up`. It changes nothing.

    python -m operations.drift

It prints one line for each change. The exit status is 0 if nothing was changed, 2 if something was, and 1 if that
could not be found out.
"""

import argparse
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from components.preflight import probe_host
from components.probe import Probe
from components.ssh import SshError
from operations import commanded, health, refreshed
from operations.recorded import recorded
from operations.stack import ConfiguredHosts, configured_hosts, exit_status

CHANGED = 2
"""The exit status if something was changed by hand."""


def findings(configured: ConfiguredHosts) -> Iterator[str]:
    """Yield one line for each change. What the hosts say comes first, since a refresh needs all of them.

    Raises:
        OperationError: Pulumi cannot ask all engines.
        SshError: a host does not answer.
    """
    known = recorded()
    present = {host.name: configured.targets[host.name] for host in configured.hosts if host.state == "active"}
    nodes = [node for node in known.nodes if node.host in present]
    swarm = health.look_at_any([present[node.host] for node in nodes if node.role == "manager"])
    with ThreadPoolExecutor(health.LOGINS) as pool:
        names = [node.host for node in nodes]
        answers = dict(zip(names, pool.map(probe_host, [present[name] for name in names]), strict=True))
    probes = {name: answer for name, answer in answers.items() if isinstance(answer, Probe)}
    yield from commanded.node_findings(known.nodes, swarm.nodes, probes)
    yield from commanded.volume_findings(known.volumes, {host.address: name for name, host in present.items()}, probes)
    yield from commanded.firewall_findings(known.firewalls, probes)
    yield from commanded.service_findings(known.services, swarm.services)
    if problems := [answer for answer in answers.values() if isinstance(answer, str)]:
        raise SshError("\n".join(problems))
    yield from refreshed.findings()


def main() -> int:
    """Run the command."""
    argparse.ArgumentParser(prog="python -m operations.drift", description=(__doc__ or "").split("\n")[0]).parse_args()
    found = []

    def run() -> None:
        for finding in findings(configured_hosts()):
            found.append(finding)
            print(finding, flush=True)
        if found:
            print("`pulumi up --refresh` puts back what has no command of its own above.")
        else:
            print("nothing was changed by hand")

    return exit_status(run) or (CHANGED if found else 0)


if __name__ == "__main__":
    sys.exit(main())
