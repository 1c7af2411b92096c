"""Every password is replaced by one change of the settings and one `up`, under load."""

import secrets
import time
from collections.abc import Callable

import pytest
from cluster import Cluster
from load import Load
from outages import recover, urls

REFUSED_SECONDS = {
    "operator_password": 0,
    "influxdb_writer_password": 0,
    "influxdb_reader_password": 0,
    "postgres_password": 120,
}
"""For how long transfers may be refused meanwhile. While a host's edge is replaced, its port is closed for a moment."""


@pytest.mark.parametrize("name", REFUSED_SECONDS)
def test_a_new_password(cluster: Cluster, load: Load, record: Callable[[str], None], name: str) -> None:
    with load.running(*urls(cluster)):
        began = time.monotonic()
        cluster.set_secret(name, secrets.token_urlsafe(18))
        cluster.up()
        seconds = time.monotonic() - began
        recover(cluster, load)
    refused = [t.began for t in load.transfers if not t.ok and t.status]
    lasted = max(refused) - min(refused) if refused else 0
    record(f"{name}: up took {seconds:.0f} s, transfers were refused for {lasted:.0f} s; {load.described()}")
    assert load.lost(*urls(cluster)) == []
    assert lasted <= REFUSED_SECONDS[name], load.described()
    cluster.pulumi("preview", "--expect-no-changes")
