"""One of two hosts is gone, so uploads are refused and downloads go on, or both are. In no case is anything lost."""

import time
from collections.abc import Callable

import pytest
from cluster import Cluster
from load import Load
from outages import broken_until, postgres_roles, recover, urls
from table import Table

DOWNLOADS_GO_ON_SECONDS = 10
REFUSED_SECONDS = 2
NOTICED_SECONDS = 10
OBSERVED_SECONDS = 15


def alerts(cluster: Cluster) -> set[str]:
    """Return the names of the alerts that fire or are about to."""
    return {series["metric"]["alertname"] for series in cluster.prometheus("ALERTS")}


def refused_from(load: Load, gone: float) -> float:
    """Return after how many seconds without the host every upload was refused at once, by 503 with Retry-After."""
    uploads = sorted((t for t in load.transfers if t.upload and t.began > gone), key=lambda t: t.began)
    assert uploads
    proper = [t.status == 503 and bool(t.retry_after) and t.seconds < REFUSED_SECONDS for t in uploads]
    others = [t.began - gone for t, is_proper in zip(uploads, proper, strict=True) if not is_proper]
    assert proper[-1], load.described()
    return max(others, default=0)


@pytest.mark.parametrize(("host", "other"), [("slave", "master"), ("master", "slave")])
def test_without_a_host_downloads_go_on_through_the_other_and_uploads_are_refused(
    cluster: Cluster, load: Load, host: str, other: str, record: Callable[[str], None], table: Table
) -> None:
    if host == "master":
        # Otherwise all replicas may be there, where they went while the other host was gone.
        assert cluster.containers("files", other), "no replica is on the other host"
    url = cluster.url(other)
    roles = postgres_roles(cluster)
    with load.running(url):
        gone = time.monotonic()
        with cluster.stopped(host):
            cluster.eventually(lambda: time.monotonic() > gone + NOTICED_SECONDS + OBSERVED_SECONDS)
            until, refused = broken_until(load, gone), refused_from(load, gone)
            gone_is = f"without {host}, the {roles[host]}"
            record(f"{gone_is}: downloads fail until {until:.1f} s, uploads fail at once from {refused:.1f} s")
            assert until <= DOWNLOADS_GO_ON_SECONDS, load.described()
            assert refused <= NOTICED_SECONDS, load.described()
            late = [t for t in load.transfers if t.upload and t.ok and t.began > gone + NOTICED_SECONDS]
            assert not late, f"acknowledged on one host: {late}"
            assert load.lost(url) == []
            if host != "master":  # which has Prometheus
                cluster.eventually(lambda: "FilesWithFewCopies" in alerts(cluster), seconds=90)
        back = time.monotonic()
        load.use(*urls(cluster))
        recover(cluster, load)
        record(f"{host} is back: all runs after {time.monotonic() - back:.1f} s")
    cluster.eventually(lambda: sorted(postgres_roles(cluster).values()) == ["primary", "replica"])
    cluster.eventually(lambda: "FilesWithFewCopies" not in alerts(cluster), seconds=90)
    lost = load.lost(*urls(cluster))
    # The samples of the host itself are missing for as long as it is away.
    table.add(f"{host} killed, with {roles[host]}, and back", load, gone, lost=lost, nodes=[other])
    assert lost == []


def test_after_a_power_cut_everything_acknowledged_is_there(
    cluster: Cluster, load: Load, record: Callable[[str], None], table: Table
) -> None:
    with load.running(*urls(cluster)):
        began = len(load.acknowledged)
        cluster.eventually(lambda: len(load.acknowledged) > began + 50, shown=load.described)
        gone = time.monotonic()
        with cluster.stopped("master"), cluster.stopped("slave"):
            cluster.drop_page_cache()
        back = time.monotonic()
        recover(cluster, load)
        record(f"after a power cut: all runs {time.monotonic() - back:.1f} s after both hosts have started")
    lost = load.lost(*urls(cluster))
    table.add("power cut on both hosts, and back", load, gone, lost=lost)
    assert lost == []
