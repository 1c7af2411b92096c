"""What tests of outages share: how long one lasted, as users saw it, and when the cluster is well again."""

import time

from cluster import Cluster
from load import Load

HOSTS = ("master", "slave")


def urls(cluster: Cluster) -> list[str]:
    return [cluster.url(host) for host in HOSTS]


def unhealthy(cluster: Cluster) -> list[str]:
    """Return the services of which fewer tasks run than should."""
    listed = cluster.on("master", "docker service ls --format '{{.Name}} {{.Replicas}}'").splitlines()
    counts = {line.split()[0]: line.split()[1].split("/") for line in listed}
    return [name for name, (running, wanted) in counts.items() if running != wanted]


def recover(cluster: Cluster, load: Load) -> float:
    """Wait until all services run and uploads and downloads succeed through both addresses; return the seconds."""
    began = time.monotonic()

    def all_is_well() -> bool:
        return not unhealthy(cluster)

    cluster.eventually(all_is_well, seconds=180, shown=lambda: (unhealthy(cluster), load.described()))
    healthy = time.monotonic()
    for upload in (True, False):
        cluster.eventually(
            lambda upload=upload: load.succeeded_since(healthy, upload=upload) == set(urls(cluster)),
            seconds=60,
            shown=load.described,
        )
    return time.monotonic() - began


def broken_until(load: Load, gone: float) -> float:
    """Return how many seconds after the loss the last download began that failed."""
    return max((t.began - gone for t in load.transfers if not t.upload and not t.ok), default=0)
