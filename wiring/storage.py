"""Decides where the files are stored: in the cluster's own object store, a directory of one host, or a bucket."""

from collections.abc import Mapping
from pathlib import Path

from components.file_storage import FileStorage, in_bucket, in_directory, in_object_store
from components.index import Index, IndexArgs
from components.object_store import ObjectStore, ObjectStoreArgs
from components.overlay import OverlayNetwork
from components.seed import Seed
from components.swarm import SwarmCluster
from settings import Settings, secret
from settings.topology import INDEX_NET, OUTSIDE_NET, STORAGE_NET, Topology


def create_storage(
    settings: Settings, topology: Topology, cluster: SwarmCluster, networks: Mapping[str, OverlayNetwork]
) -> FileStorage:
    """Create the services that keep the files, if there are any, and return what the file service needs of them."""
    if settings.file_service.storage == "directory":
        (host,) = topology.services["files"].hosts
        return in_directory(cluster.host(host))
    assert settings.postgres_password  # noqa: S101 - the settings are validated
    seed = Seed("seed").text
    voting_hosts = [cluster.host(name) for name in topology.voting_hosts]
    index = Index(
        "index",
        IndexArgs(
            cluster=cluster,
            network=networks[INDEX_NET],
            hosts=[cluster.host(name) for name in topology.index_hosts],
            etcd_hosts=voting_hosts,
            lost=[host.name for host in settings.gone_hosts],
            context=Path("services/postgres"),  # relative, so that Pulumi's state is the same in every checkout
            debian_image=settings.images.debian,
            password=secret(settings.postgres_password),
            seed=seed,
            replicas=settings.file_service.replicas,
        ),
    )
    if bucket := settings.file_service.s3:
        assert settings.storage_key  # noqa: S101 - the settings are validated
        return in_bucket(index, networks[OUTSIDE_NET], **bucket.model_dump(), secret_key=secret(settings.storage_key))
    store = ObjectStore(
        "object-store",
        ObjectStoreArgs(
            cluster=cluster,
            network=networks[STORAGE_NET],
            master_hosts=voting_hosts,
            voters=topology.voters,
            image=settings.images.seaweedfs,
            copies=settings.file_service.copies,
            seed=seed,
        ),
    )
    return in_object_store(index, store)
