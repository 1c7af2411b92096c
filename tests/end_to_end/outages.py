"""What tests of outages share: how long one lasted, as users saw it, and when the cluster is well again."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cluster import Cluster
from load import Load
from table import Table

from components import patroni

HOSTS = ("master", "slave")
PRIMARY, STANDBY = "the primary", "the standby"


def urls(cluster: Cluster) -> list[str]:
    return [cluster.url(host) for host in HOSTS]


def unhealthy(cluster: Cluster) -> list[str]:
    """Return the services of which fewer tasks run than should."""
    listed = cluster.on("master", "docker service ls --format '{{.Name}} {{.Replicas}}'").splitlines()
    counts = {line.split()[0]: line.split()[1].split("/") for line in listed}
    return [name for name, (running, wanted) in counts.items() if running != wanted]


def recover(cluster: Cluster, load: Load) -> float:
    """Wait until all services run and uploads and downloads succeed through all the load's addresses.

    Return the seconds.
    """
    began = time.monotonic()

    def all_is_well() -> bool:
        return not unhealthy(cluster)

    cluster.eventually(all_is_well, seconds=180, shown=lambda: (unhealthy(cluster), load.described()))
    healthy = time.monotonic()
    for upload in (True, False):
        cluster.eventually(
            lambda upload=upload: load.succeeded_since(healthy, upload=upload) == set(load.through),
            seconds=60,
            shown=load.described,
        )
    return time.monotonic() - began


def broken_until(load: Load, gone: float) -> float:
    """Return how many seconds after the loss the last download began that failed."""
    return max((t.began - gone for t in load.transfers if not t.upload and not t.ok), default=0)


def postgres_roles(cluster: Cluster) -> dict[str, str]:
    """Return the role of the PostgreSQL on each host, as Patroni says."""
    found = {}
    for host in HOSTS:
        (container,) = cluster.containers(f"postgres-{host}", host)
        found[host] = postgres_role(cluster, host, container)
    return found


def postgres_role(cluster: Cluster, host: str, container: str) -> str:
    """Return the role of the PostgreSQL in this container, as its Patroni says, or nothing if it does not answer."""
    url = f"https://localhost:{patroni.API_PORT}/patroni"
    ask = f"docker exec {container} wget -q -O - --ca-certificate={patroni.AUTHORITY_PATH} {url} || true"
    answer = cluster.on(host, ask)
    return str(json.loads(answer)["role"]) if answer else ""


def place(cluster: Cluster, service: str) -> tuple[str, str]:
    """Return a host that runs the service and the service's name."""
    if service in (PRIMARY, STANDBY):
        role = "primary" if service == PRIMARY else "replica"
        (host,) = [host for host, found in postgres_roles(cluster).items() if found == role]
        return host, f"postgres-{host}"
    return next(host for host in HOSTS if cluster.containers(service, host)), service


@contextmanager
def killed(
    cluster: Cluster, load: Load, host: str, command: str, what: str, record: Callable[[str], None], table: Table
) -> Iterator[None]:
    """Run the command, which kills something, under load. Recover after the block, and look for what is missing."""
    with load.running(*urls(cluster)):
        cluster.eventually(lambda: len(load.transfers) > 10)
        gone = time.monotonic()
        cluster.on(host, command)
        yield
        recover(cluster, load)
        seconds = time.monotonic() - gone
    record(f"{what}: all is well after {seconds:.1f} s")
    record(f"{what}: {load.described()}")
    lost = load.lost(*urls(cluster))
    table.add(what, load, gone, lost=lost)
    assert lost == []
