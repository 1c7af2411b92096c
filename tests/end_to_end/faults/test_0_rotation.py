"""Every password is replaced by one change of the settings and one `up`, under load."""

import secrets
import time
from collections.abc import Callable

import pytest
from cluster import Cluster
from load import Load
from outages import recover, urls

PASSWORDS = ("operator_password", "influxdb_writer_password", "influxdb_reader_password", "postgres_password")


@pytest.mark.parametrize("name", PASSWORDS)
def test_a_new_password(cluster: Cluster, load: Load, record: Callable[[str], None], name: str) -> None:
    with load.running(*urls(cluster)):
        began = time.monotonic()
        cluster.set_secret(name, secrets.token_urlsafe(18))
        cluster.up()
        seconds = time.monotonic() - began
        recover(cluster, load)
    record(f"{name}: up took {seconds:.0f} s; {load.described()}")
    assert load.lost(*urls(cluster)) == []
    assert [transfer for transfer in load.transfers if not transfer.ok] == []
    cluster.pulumi("preview", "--expect-no-changes")
