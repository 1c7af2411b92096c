"""Hosts are maintained one after the other under load: no download fails, and no acknowledged file is lost."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from cluster import Cluster
from load import Load

HOSTS = ("master", "slave")


@pytest.mark.parametrize(("host", "other"), [("slave", "master"), ("master", "slave")])
def test_a_host_is_maintained_and_downloads_go_on_through_the_other(
    cluster: Cluster, record: Callable[[str], None], host: str, other: str
) -> None:
    load, began = Load(), time.monotonic()
    with ThreadPoolExecutor() as pool, load.running(cluster.url(other)):
        cluster.eventually(lambda: len(load.acknowledged) > 20, shown=load.described)
        maintained = pool.submit(cluster.operation, "maintain", host, "--script", "touch /tmp/maintained")
        cluster.eventually(lambda: maintained.done() or not cluster.is_running(host), seconds=180)
        cluster.vagrant_up(host)
        said = maintained.result()

    assert said.returncode == 0, said.stdout + said.stderr
    assert said.stdout.splitlines()[-1] == f"== {host} done"
    assert cluster.on(host, "ls /tmp/maintained")
    record(f"maintenance of {host}: {time.monotonic() - began:.0f} s")
    assert [transfer for transfer in load.transfers if not transfer.upload and not transfer.ok] == []
    assert load.lost(*map(cluster.url, HOSTS)) == []
    cluster.upload("after-maintenance", b"content", through=host)
    assert cluster.download("after-maintenance", back=other) == b"content"
    cluster.pulumi("preview", "--expect-no-changes")
