"""Pulumi killed by SIGKILL, with its plugins: after `operations.recover`, the next run goes on, without manual repair.

The steps build on each other. The points at which a run is killed are counted in resources. Several are worked on at a
time, so some operations are always under way.
"""

import os
import re
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from cluster import Cluster
from load import Load
from outages import HOSTS, recover, urls
from table import Table

UPDATES = (1, 2, 3)
"""In an update of all services, each run is killed when it has begun with this number of them."""
DELETIONS = 5 * (14,)
"""The same for the resources of a destroy: most of the stack's 90."""

CREATIONS = 10 * (5,)
"""Each run of a first deployment is killed when it has created this number of resources, so that each gets further."""

CHANGE = '\n_LOG_OPTIONS["max-file"] = "4"\n'
"""Changes every service."""


def killed(cluster: Cluster, operation: str, said: str, count: int) -> list[str]:
    """Run the operation, kill it once it says this of the given number of resources, and return their lines."""
    line_of_resource = re.compile(rf"(docker|command):\S+ +\S+ {said}\b")
    process = cluster.start_pulumi(operation, "--yes", "--skip-preview")
    seen: list[str] = []
    with process:
        for line in process.stdout or ():
            if line_of_resource.search(line):
                seen.append(line.strip())
            if len(seen) == count:
                break
        kill_session(process.pid)
    assert len(seen) == count, f"it ended after {len(seen)} resources"
    assert process.returncode == -signal.SIGKILL
    return seen


def kill_session(session: int) -> None:
    """Kill all processes of a session. Pulumi's plugins have process groups of their own."""
    while members := [
        pid for pid in (int(folder.name) for folder in Path("/proc").glob("[0-9]*")) if session_of(pid) == session
    ]:
        for pid in members:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def session_of(pid: int) -> int:
    """Return the session of a process; 0 if it has ended."""
    try:
        state, _, _, session, *_ = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return 0 if state == "Z" else int(session)


def go_on(cluster: Cluster) -> str:
    """Clean up as the documentation says, and return what was removed."""
    said = cluster.operation("recover", "--yes")
    assert said.returncode == 0, said.stdout + said.stderr
    return said.stdout


def test_an_update_of_all_services_goes_on_after_it_was_killed_and_no_file_is_lost(
    cluster: Cluster, load: Load, record: Callable[[str], None], table: Table
) -> None:
    with load.running(*urls(cluster)):
        began = time.monotonic()
        with cluster.edited("components/swarm_service.py", CHANGE):
            for count in UPDATES:
                last = killed(cluster, "up", "updating", count)[-1]
                record(f"up killed at: {last}; {go_on(cluster).strip()}")
            cluster.up()
            cluster.pulumi("preview", "--expect-no-changes")
        recover(cluster, load)
    lost = load.lost(*urls(cluster))
    table.add(f"`pulumi up`, which updates all services, killed {len(UPDATES)} times", load, began, lost=lost)
    table.count_samples(cluster)  # now, since the next test destroys the database
    assert lost == []
    for service in ("files", "edge", "prometheus", "postgres-master"):
        assert cluster.specification(service)["TaskTemplate"]["LogDriver"]["Options"]["max-file"] == "4"


def test_a_destroy_goes_on_after_it_was_killed_and_leaves_the_hosts_as_they_were(
    cluster: Cluster, record: Callable[[str], None]
) -> None:
    for count in DELETIONS:
        last = killed(cluster, "destroy", "deleting", count)[-1]
        record(f"destroy killed at: {last}; {go_on(cluster).strip()}")
    cluster.pulumi("destroy", "--yes", "--skip-preview")

    for host in HOSTS:
        assert cluster.on(host, "docker info --format '{{.Swarm.LocalNodeState}}'").strip() == "inactive"
        assert cluster.leftovers(host) == []


def test_a_first_deployment_goes_on_after_it_was_killed_and_the_cluster_works(
    cluster: Cluster, record: Callable[[str], None]
) -> None:
    known = []
    for count in CREATIONS:
        last = killed(cluster, "up", "created", count)[-1]
        said = go_on(cluster).strip()
        known.append(len(cluster.resources()))
        record(f"up killed at: {last}; {said} {known[-1]} resources are known")
    assert known == sorted(set(known)), "each run goes on where the one before it was killed"
    cluster.up()
    cluster.pulumi("preview", "--expect-no-changes")
    cluster.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes")

    for uploaded, downloaded in (HOSTS, HOSTS[::-1]):
        cluster.upload(f"through-{uploaded}", b"content", through=uploaded)
        assert cluster.download(f"through-{uploaded}", back=downloaded) == b"content"


@pytest.mark.parametrize("host", HOSTS)
def test_nothing_is_twice_that_a_killed_run_had_made(cluster: Cluster, host: str) -> None:
    """A secret or config that no run recorded would stay for ever, with another ending of its name."""
    recorded = {
        resource["outputs"]["name"]
        for resource in cluster.resources()
        if resource["type"] in ("docker:index/secret:Secret", "docker:index/serviceConfig:ServiceConfig")
    }
    if host == "master":
        assert set(cluster.names("secret") + cluster.names("config")) == recorded
    networks = cluster.on(host, "docker network ls --format '{{.Name}}'").split()
    assert len(networks) == len(set(networks))
