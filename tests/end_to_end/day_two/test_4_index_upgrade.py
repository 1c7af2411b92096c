"""The index is closed for a new major version of PostgreSQL, and opened again. The lab has no second version."""

import time

import pytest
from cluster import Cluster
from load import Load
from outages import urls

from components import patroni


@pytest.fixture
def load() -> Load:
    return Load()


def test_a_closed_index_refuses_uploads_and_serves_downloads_until_it_is_opened(cluster: Cluster, load: Load) -> None:
    def done(*arguments: str) -> float:
        """Run the command, and return the time after it."""
        ran = cluster.operation("upgrade_index", *arguments)
        assert ran.returncode == 0, ran.stderr
        return time.monotonic()

    def every_host_serves(since: float, *, upload: bool) -> None:
        cluster.eventually(
            lambda: load.succeeded_since(since, upload=upload) >= set(urls(cluster)), shown=load.described
        )

    with cluster.edited("components/patroni.py", f"MAJOR = {patroni.MAJOR + 1}\n"), load.running(*urls(cluster)):
        every_host_serves(time.monotonic(), upload=True)
        closed = done()
        every_host_serves(closed, upload=False)
        assert load.succeeded_since(closed, upload=True) == set()
        every_host_serves(done("--undo"), upload=True)

    assert [transfer for transfer in load.transfers if not transfer.upload and not transfer.ok] == []
    assert load.lost(*urls(cluster)) == []


def test_without_a_newer_version_in_the_image_the_index_stays_open(cluster: Cluster) -> None:
    refused = cluster.operation("upgrade_index")

    assert refused.returncode == 1
    assert "nothing to upgrade" in refused.stderr
    cluster.upload("after a refused upgrade", b"content", through="master")
