"""Hosts are maintained one after the other under load: no download fails, and no acknowledged file is lost."""

import time
from collections.abc import Callable

import pytest
from cluster import Cluster
from maintenance import maintain


@pytest.mark.parametrize("host", ["slave", "master"])
def test_a_host_is_maintained_and_downloads_go_on_through_the_other(
    cluster: Cluster, record: Callable[[str], None], host: str
) -> None:
    began = time.monotonic()
    maintain(cluster, host, "--script", "touch /tmp/maintained")
    record(f"maintenance of {host}: {time.monotonic() - began:.0f} s")

    assert cluster.on(host, "ls /tmp/maintained")
