"""Every password is replaced by one change of the settings and one `up`, under load."""

import secrets
import time
from collections.abc import Callable

import pytest
from cluster import Cluster
from load import Load
from outages import recover, urls

LIMITS = {
    # The edges are replaced, each of which closes its host's port for a moment.
    "operator_password": {"refused": 0, "broken": 30},
    "influxdb_writer_password": {"refused": 0, "broken": 0},
    "influxdb_reader_password": {"refused": 0, "broken": 0},
    # Every PostgreSQL and every replica is replaced.
    "postgres_password": {"refused": 120, "broken": 120},
}
"""For how many seconds transfers may be refused with a status, and for how many connections may break."""


@pytest.mark.parametrize("name", LIMITS)
def test_a_new_password(cluster: Cluster, load: Load, record: Callable[[str], None], name: str) -> None:
    with load.running(*urls(cluster)):
        began = time.monotonic()
        cluster.set_secret(name, secrets.token_urlsafe(18))
        cluster.up()
        seconds = time.monotonic() - began
        recover(cluster, load)
    failed = [transfer for transfer in load.transfers if not transfer.ok]
    times = {
        "refused": [transfer.began for transfer in failed if transfer.status],
        "broken": [transfer.began for transfer in failed if not transfer.status],
    }
    record(f"{name}: up took {seconds:.0f} s; {load.described()}")
    assert load.lost(*urls(cluster)) == []
    assert not any("differs" in transfer.problem for transfer in failed), load.described()
    for kind, began_at in times.items():
        if not LIMITS[name][kind]:
            assert began_at == [], load.described()
        elif began_at:
            assert max(began_at) - min(began_at) <= LIMITS[name][kind], load.described()
    cluster.pulumi("preview", "--expect-no-changes")
