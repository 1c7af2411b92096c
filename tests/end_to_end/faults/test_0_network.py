"""Hosts that are cut off from each other, lost packets, an engine that hangs: nothing acknowledged is lost."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cluster import Cluster
from load import Load
from outages import HOSTS, broken_until, recover, urls
from table import Table

FAULT_SECONDS = 60
DOWNLOADS_GO_ON_SECONDS = 10
NOTICED_SECONDS = 15


@contextmanager
def lost_packets(cluster: Cluster, *match: str) -> Iterator[None]:
    """Drop the packets between the two hosts that match; all of them if nothing is given."""
    other = cluster.address("master")
    rules = [
        " ".join([chain, address, other, *match, "-j DROP"]) for chain, address in (("INPUT", "-s"), ("OUTPUT", "-d"))
    ]
    for rule in rules:
        cluster.on("slave", f"sudo iptables -w -I {rule}")
    try:
        yield
    finally:
        for rule in rules:
            cluster.on("slave", f"sudo iptables -w -D {rule}")


def wait_from(cluster: Cluster, began: float) -> None:
    cluster.eventually(lambda: time.monotonic() > began + FAULT_SECONDS, seconds=2 * FAULT_SECONDS)


def test_hosts_cut_off_from_each_other_serve_downloads_and_acknowledge_nothing(
    cluster: Cluster, load: Load, record: Callable[[str], None], table: Table
) -> None:
    with load.running(*urls(cluster)):
        cut = time.monotonic()
        with lost_packets(cluster):
            wait_from(cluster, cut)
            until = broken_until(load, cut)
            assert load.succeeded_since(cut + DOWNLOADS_GO_ON_SECONDS, upload=False) == set(urls(cluster))
            late = [t for t in load.transfers if t.upload and t.ok and t.began > cut + NOTICED_SECONDS]
        healed = time.monotonic()
        recover(cluster, load)
        record(f"cut off: downloads fail until {until:.1f} s, all runs {time.monotonic() - healed:.1f} s after it")
    lost = load.lost(*urls(cluster))
    table.add(f"the two hosts cut off from each other for {FAULT_SECONDS} s", load, cut, lost=lost)
    assert not late, f"acknowledged on one host: {late}"
    assert until <= DOWNLOADS_GO_ON_SECONDS, load.described()
    assert lost == []


def test_with_one_packet_in_twenty_lost_transfers_go_on(
    cluster: Cluster, load: Load, record: Callable[[str], None], table: Table
) -> None:
    with load.running(*urls(cluster)):
        began = time.monotonic()
        with lost_packets(cluster, "-m statistic --mode random --probability 0.05"):
            wait_from(cluster, began)
            for upload in (True, False):
                assert load.succeeded_since(began + FAULT_SECONDS / 2, upload=upload) == set(urls(cluster))
        record(f"one packet in twenty lost: {load.described()}")
        recover(cluster, load)
    lost = load.lost(*urls(cluster))
    table.add(f"one packet in twenty between them lost for {FAULT_SECONDS} s", load, began, lost=lost)
    assert lost == []


def test_an_engine_that_hangs_stops_no_download(
    cluster: Cluster, load: Load, record: Callable[[str], None], table: Table
) -> None:
    """Swarm takes its host for down, while its containers go on. When the engine is back, they are replaced."""
    before = cluster.containers("edge", "slave")
    with load.running(*urls(cluster)):
        began = time.monotonic()
        cluster.on("slave", "sudo pkill -STOP -x dockerd")
        try:
            wait_from(cluster, began)
            failed = [transfer for transfer in load.transfers if not transfer.ok and not transfer.upload]
            record(f"an engine that hangs: {load.described()}")
        finally:
            cluster.on("slave", "sudo pkill -CONT -x dockerd")
        cluster.eventually(lambda: cluster.containers("edge", "slave") not in ([], before))
        recover(cluster, load)
    lost = load.lost(*urls(cluster))
    table.add(f"an Engine that hangs for {FAULT_SECONDS} s", load, began, lost=lost)
    assert failed == []
    assert lost == []
    for host in HOSTS:
        assert len(cluster.containers("files", host)) <= 2
