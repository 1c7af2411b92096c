"""The files move from the cluster into a bucket outside of it, where the backups are too. The runbook's steps do it."""

import os
from collections.abc import Iterator

import object_store
import pytest
import requests
from backups import delete_all, run
from cluster import Cluster
from load import Load
from object_store import SECRET_KEY, ObjectStore
from outages import urls

LAB_ADDRESS = "192.168.50.1"
MIB = 2**20


@pytest.fixture
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    with object_store.running(tmp_path_factory.mktemp("bucket"), address=LAB_ADDRESS) as store:
        yield store


@pytest.fixture
def content(cluster: Cluster, store: ObjectStore) -> Iterator[dict[str, str]]:
    """The setting `s3` of a cluster whose backups are in the same bucket. Afterwards, the cluster is new and empty."""
    content = bucket(store)
    with cluster.configured(backup={"s3": bucket(store), "every": "1d"}):
        for secret in ("storage_key", "backup_storage_key"):
            cluster.set_secret(secret, SECRET_KEY)
        cluster.set_secret("backup_password", "backup-Horse-battery")
        yield content
        delete_all(cluster)
    cluster.up()


def bucket(store: ObjectStore) -> dict[str, str]:
    """Return the setting of a part of the bucket that nothing else uses."""
    settings = store.settings()
    return {
        "endpoint": settings.endpoint,
        "bucket": settings.bucket,
        "prefix": settings.prefix,
        "access_key": settings.access_key,
    }


def test_the_files_move_from_the_cluster_into_a_bucket(
    cluster: Cluster, store: ObjectStore, content: dict[str, str]
) -> None:
    load = Load()
    in_bucket = {"storage": "s3", "s3": content}
    cluster.up()
    with load.running(*urls(cluster)):
        cluster.eventually(lambda: len(load.acknowledged) > 60, shown=load.described)
    with cluster.configured(file_service=in_bucket):
        refused = cluster.pulumi("preview", check=False)
    assert refused.returncode
    assert 'file_service.storage: the files are in "cluster"' in refused.stdout

    with cluster.configured(file_service={"quota_bytes": 1}):
        cluster.up()
        full = requests.put(f"{cluster.url('master')}/files/too-late", data=b"content", timeout=60)
        run(cluster, "now")
        delete_all(cluster)
        with cluster.configured(file_service=in_bucket):
            cluster.up()
            run(cluster, "restore")
    with cluster.configured(file_service=in_bucket):
        cluster.up()
        assert not full.ok
        assert load.lost(*urls(cluster)) == []
        services = cluster.on("master", "docker service ls --format '{{.Name}}'")
        assert "object-store" not in services

        with load.running(*urls(cluster)):
            cluster.eventually(lambda: len(load.acknowledged) > 120, shown=load.described)
        assert [transfer for transfer in load.transfers if not transfer.ok] == []
        assert load.lost(*urls(cluster)) == []
        assert len(object_store.list_objects(store.settings(), content["prefix"])) > 20
        cluster.pulumi("preview", "--expect-no-changes")

        large = os.urandom(MIB)
        cluster.upload("large", large, through="slave")
        run(cluster, "now")
        assert requests.delete(f"{cluster.url('slave')}/files/large", timeout=60).ok
        assert requests.get(f"{cluster.url('master')}/files/large", timeout=60).status_code == requests.codes.not_found
        run(cluster, "restore", "--file", "large")
        assert cluster.download("large", back="master") == large
