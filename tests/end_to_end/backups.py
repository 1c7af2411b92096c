"""Backups as an operator makes and restores them, and the loss of everything else."""

from cluster import Cluster


def run(cluster: Cluster, *arguments: str) -> str:
    """Run `operations.backups`, which must succeed, and return what it prints."""
    done = cluster.operation("backups", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def delete_all(cluster: Cluster) -> None:
    """Delete the cluster with all its data. The backups stay."""
    cluster.pulumi("destroy", "--yes", "--skip-preview")
    for host in cluster.hosts:
        volumes = set(cluster.on(host["name"], "docker volume ls --quiet").split())
        assert not {name for name in volumes if name == "files" or name.startswith(("object-store", "postgres-"))}
