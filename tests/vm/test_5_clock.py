"""A host's clock is an hour off, and is put right again. Hosts in containers share their machine's clock."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests
from cluster import Cluster
from load import Load

_HOUR = 3600
_RECOVERY_SECONDS = 120
_SWEEPS_SECONDS = 25
"""Each host has swept twice in this time."""

CONTENT = bytes(100_000)


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
        for number, url in enumerate(urls):
            stored = requests.put(f"{url}/files/for-half-an-hour-{host}-{number}?ttl=30m", data=CONTENT, timeout=60)
            assert stored.status_code == 201, stored.text
        sent = time.monotonic()
        serve(cluster, load, urls)
        cluster.eventually(lambda: time.monotonic() > sent + _SWEEPS_SECONDS)
        assert kept(urls, host)
    serve(cluster, load, urls)
    assert kept(urls, host)

    assert not load.lost(*urls)


def kept(urls: list[str], host: str) -> bool:
    """Return whether the files with a lifetime are still there."""
    return all(
        requests.get(f"{url}/files/for-half-an-hour-{host}-{number}", timeout=60).content == CONTENT
        for url in urls
        for number in range(len(urls))
    )
