"""Prepares the index for a new major version of PostgreSQL: closes it to changes, and writes it to a file on each host.

    python -m operations.upgrade_index
    python -m operations.upgrade_index --undo

From here on uploads, deletions and downloads that count are refused. Other downloads go on. The next `pulumi up` makes
new data from the file. Each run begins anew. `--undo` removes the files and allows changes again.
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from components import patroni
from components.shell import render
from components.ssh import SshError, SshTarget, ask
from operations import health
from operations.health import SCRIPTS
from operations.stack import ConfiguredHosts, OperationError, configured_hosts, exit_status

Change = Callable[[Mapping[str, SshTarget]], None]

_SECONDS = 3600
"""How long a host may take for one step. It writes the whole index."""


def prepare(targets: Mapping[str, SshTarget]) -> None:
    """Close the index to changes, and write it to a file on each of its hosts. `targets` are by the service's name.

    Raises:
        OperationError: there is nothing to prepare, or the hosts or their PostgreSQLs cannot do it now.
    """
    found = _version(targets)
    if found >= patroni.MAJOR:
        raise OperationError(
            f"the index has PostgreSQL {found}, and `MAJOR` in components/patroni.py is "
            f"{patroni.MAJOR}: there is nothing to upgrade"
        )
    mark = _close(targets)
    for service in targets:
        _run(targets, service, "dump", mark)
        print(f"{service}: the index is written to a file", flush=True)
    print("the index is closed to changes. Now run `pulumi up`; `--undo` of this command opens it again")


def undo(targets: Mapping[str, SshTarget]) -> None:
    """Remove the files, and allow changes again.

    Raises:
        OperationError: the upgrade has begun, or a host does not answer. One that kept its file could use it later,
            when it lacks what was changed in the meantime.
    """
    _version(targets)
    _close(targets)
    _change_primary(targets, "open")
    print("the index is open to changes")


def _version(targets: Mapping[str, SshTarget]) -> int:
    """Return the major version of the index's data, which is the same on all hosts."""
    versions = {service: int(_run(targets, service, "version")) for service in targets}
    if len(set(versions.values())) > 1:
        listed = ", ".join(f"{service} has {version}" for service, version in versions.items())
        raise OperationError(
            f"PostgreSQL's version is not the same on all hosts: {listed}. An upgrade has begun: `pulumi up` ends it, "
            "and docs/operations/data.md says how to go back"
        )
    return next(iter(versions.values()))


def _close(targets: Mapping[str, SshTarget]) -> str:
    """Close the index to changes, and return its new mark. Commands that were started with an earlier mark stop."""
    mark = f"closed at {datetime.now(UTC).isoformat()}"
    _change_primary(targets, "close", mark)
    for service in targets:  # what an earlier upgrade has left, also in etcd
        _run(targets, service, "forget", mark)
    return mark


def _change_primary(targets: Mapping[str, SshTarget], *words: str) -> None:
    """Run this on one host after the other until it was the primary, which alone does it."""
    if not any(_run(targets, service, *words) for service in targets):
        raise OperationError("the index has no primary: see the alert NoPrimary in docs/operations/alerts.md")


def _run(targets: Mapping[str, SshTarget], service: str, *words: str) -> str:
    try:
        return ask(targets[service], script(service, words), timeout=_SECONDS).strip()
    except SshError as error:
        raise OperationError(f"{service}: {error}") from None


def script(service: str, words: Sequence[str]) -> str:
    """Return the script that runs index.sh with these words beside the service of this name."""
    return render("find_container", "run_in_index", folder=SCRIPTS, arguments=words, SERVICE=service)


def index_targets(configured: ConfiguredHosts) -> dict[str, SshTarget]:
    """Return the hosts with the index, by the names of their services.

    Raises:
        OperationError: this cluster has no index in PostgreSQL.
        SshError: no manager answers.
    """
    deployed = {service["Spec"]["Name"] for service in health.look_at_any(configured.managers).services}
    services = {patroni.service_name(host): target for host, target in configured.targets.items()}
    if found := {service: target for service, target in services.items() if service in deployed}:
        return found
    raise OperationError("this cluster has no index in PostgreSQL")


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m operations.upgrade_index", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--undo", action="store_true", help="remove the files and allow changes again")
    change: Change = undo if parser.parse_args().undo else prepare
    return exit_status(lambda: change(index_targets(configured_hosts())))


if __name__ == "__main__":
    sys.exit(main())
