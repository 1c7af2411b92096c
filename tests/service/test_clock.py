"""The time that the index goes by: this host's clock, or that of PostgreSQL's primary."""

import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from postgres import Postgres
from running import wait_until

from file_transfer import clock
from file_transfer.index import postgres_hosts
from file_transfer.index.postgres_hosts import PostgresHosts

MOMENT = timedelta(seconds=5)


@pytest.fixture(autouse=True)
def clock_of_this_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "_shown", None)


def test_without_a_primary_this_hosts_clock_counts() -> None:
    before = datetime.now(UTC)

    assert before <= clock.now() <= datetime.now(UTC)


@pytest.mark.parametrize("ahead", [timedelta(hours=1), timedelta(hours=-1)])
def test_the_primarys_clock_goes_on_from_what_it_showed(ahead: timedelta) -> None:
    shown = (datetime.now(UTC) + ahead).astimezone(timezone(timedelta(hours=2)))

    clock.follow(shown, time.monotonic() - 60)

    assert clock.now().utcoffset() == timedelta(0)
    assert abs(clock.now() - (shown + timedelta(seconds=60))) < MOMENT


def test_the_hosts_of_postgresql_are_asked_for_the_primarys_clock(
    postgres_cluster: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The standby's clock is two hours ahead here, and the primary's one hour."""
    ahead = "clock_timestamp() + CASE WHEN pg_is_in_recovery() THEN interval '2 hours' ELSE interval '1 hour' END"
    monkeypatch.setattr(postgres_hosts, "_PROBE", postgres_hosts._PROBE.replace("clock_timestamp()", ahead))
    monkeypatch.setattr(postgres_hosts, "_EVERY_SECONDS", 0.1)
    found: list[tuple[datetime, float]] = []
    monkeypatch.setattr(clock, "follow", lambda *shown: found.append(shown))
    hosts = PostgresHosts(postgres_cluster.settings())
    try:
        wait_until(lambda: len(hosts.readable()) == 2 and all(host.probes > 3 for host in hosts.readable()))
    finally:
        hosts.close()

    theirs = [shown for shown, _ in found if shown - datetime.now(UTC) > timedelta(minutes=1)]
    assert theirs
    for shown in theirs:
        assert abs(shown - datetime.now(UTC) - timedelta(hours=1)) < MOMENT
    for _, moment in found:
        assert abs(moment - time.monotonic()) < MOMENT.seconds
