"""With `storage: s3`, the files are in a bucket outside of the cluster, and so are the backups."""

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


@pytest.fixture
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    with object_store.running(tmp_path_factory.mktemp("bucket"), address=LAB_ADDRESS) as store:
        yield store


def bucket(store: ObjectStore) -> dict[str, str]:
    """Return the setting of a part of the bucket that nothing else uses."""
    settings = store.settings()
    return {
        "endpoint": settings.endpoint,
        "bucket": settings.bucket,
        "prefix": settings.prefix,
        "access_key": settings.access_key,
    }


def test_the_files_move_from_the_cluster_into_a_bucket(cluster: Cluster, store: ObjectStore) -> None:
    load = Load()
    for secret in ("storage_key", "backup_storage_key"):
        cluster.set_secret(secret, SECRET_KEY)
    cluster.set_secret("backup_password", "backup-Horse-battery")
    content = bucket(store)

    with cluster.configured(backup={"s3": bucket(store), "every": "1d"}):
        cluster.up()
        with load.running(*urls(cluster)):
            cluster.eventually(lambda: len(load.acknowledged) > 60, shown=load.described)
        run(cluster, "now")
        with cluster.configured(file_service={"storage": "s3", "s3": content}):
            refused = cluster.pulumi("preview", check=False)
            assert refused.returncode
            assert 'file_service.storage: "s3" does not use these volumes with files' in refused.stdout

            delete_all(cluster)
            cluster.up()
            run(cluster, "restore")
            assert load.lost(*urls(cluster)) == []
            assert cluster.names("service", "object-store") == []
            with load.running(*urls(cluster)):
                cluster.eventually(lambda: len(load.acknowledged) > 120, shown=load.described)
            assert [transfer for transfer in load.transfers if not transfer.ok] == []
            stored = object_store.list_objects(store.settings(), content["prefix"])
            run(cluster, "now")

            name = next(reversed(load.acknowledged))
            assert requests.delete(f"{cluster.url('slave')}/files/{name}", timeout=60).ok
            run(cluster, "restore", "--file", name)
            assert load.lost(*urls(cluster)) == []
            cluster.pulumi("preview", "--expect-no-changes")
            delete_all(cluster)
    cluster.up()
    assert len(stored) > 20
