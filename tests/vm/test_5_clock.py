"""A host's clock is an hour off, and is put right again. Hosts in containers share their machine's clock."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from cluster import Cluster
from load import Load

_HOUR = 3600
_RECOVERY_SECONDS = 120


@contextmanager
def an_hour_ahead(cluster: Cluster, host: str) -> Iterator[None]:
    """Set the host's clock an hour ahead during the block."""
    cluster.on(host, f"sudo date --set '+{_HOUR} seconds'")
    try:
        yield
    finally:
        cluster.on(host, f"sudo date --set '-{_HOUR} seconds'")


def serve(cluster: Cluster, load: Load, urls: list[str]) -> None:
    """Put load on the cluster until uploads and downloads have succeeded through each address."""
    began = time.monotonic()
    with load.running(*urls):
        cluster.eventually(
            lambda: all(load.succeeded_since(began, upload=upload) >= set(urls) for upload in (True, False)),
            seconds=_RECOVERY_SECONDS,
            shown=load.described,
        )
    print(f"\nafter {time.monotonic() - began:.0f} s: {load.described()}")


@pytest.mark.parametrize("host", ["master", "slave"])
def test_files_can_be_sent_and_fetched_while_the_clocks_differ_and_after(cluster: Cluster, host: str) -> None:
    urls = [cluster.url(each["name"]) for each in cluster.hosts]
    load = Load()
    ahead = float(cluster.on(host, "date +%s")) + _HOUR

    with an_hour_ahead(cluster, host):
        assert float(cluster.on(host, "date +%s")) >= ahead
        serve(cluster, load, urls)
    serve(cluster, load, urls)

    assert not load.lost(*urls)
