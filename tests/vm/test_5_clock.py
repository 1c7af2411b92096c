"""A host's clock is an hour off, and is put right again. Hosts in containers share their machine's clock."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests
from cluster import Cluster
from load import Load
from outages import postgres_roles

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
    has_primary = postgres_roles(cluster)[host] == "primary"
    kept = store_for_half_an_hour(urls, f"{host}-before")
    ahead = float(cluster.on(host, "date +%s")) + _HOUR

    with an_hour_ahead(cluster, host):
        assert float(cluster.on(host, "date +%s")) >= ahead
        if has_primary:  # by its clock, these have expired
            kept.clear()
        kept += store_for_half_an_hour(urls, f"{host}-meanwhile")
        sent = time.monotonic()
        serve(cluster, load, urls)
        cluster.eventually(lambda: time.monotonic() > sent + _SWEEPS_SECONDS)
        assert missing(kept, urls) == []
        if not has_primary:
            assert [transfer for transfer in load.transfers if not transfer.ok] == []
    serve(cluster, load, urls)
    assert missing(kept, urls) == []

    assert not load.lost(*urls)


def store_for_half_an_hour(urls: list[str], prefix: str) -> list[str]:
    """Store a file through each address, and return the names."""
    names = [f"{prefix}-{number}" for number in range(len(urls))]
    for url, name in zip(urls, names, strict=True):
        stored = requests.put(f"{url}/files/{name}?ttl=30m", data=CONTENT, timeout=60)
        assert stored.status_code == 201, stored.text
    return names


def missing(names: list[str], urls: list[str]) -> list[str]:
    """Return the URLs of the files that are no longer there."""
    wanted = [f"{url}/files/{name}" for url in urls for name in names]
    return [url for url in wanted if requests.get(url, timeout=60).content != CONTENT]
