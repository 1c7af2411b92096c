"""What is known of PostgreSQL's hosts, while threads ask for it."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from file_transfer.clock import now
from file_transfer.index import postgres_hosts
from file_transfer.index.postgres_hosts import PostgresHost
from file_transfer.settings import PostgresSettings

SETTINGS = PostgresSettings(
    hosts=(("127.0.0.1", 1),), password="", authority=Path("/nowhere"), connections=1, standbys=1
)


class Rows(list[tuple[bool, str | None, datetime | None, datetime]]):
    """Rows that are watched while they are taken in."""

    def __init__(self, host: PostgresHost, rows: Sequence[tuple[bool, str | None, datetime | None, datetime]]) -> None:
        super().__init__(rows)
        self._host = host
        self.seen: list[int] = []

    def __iter__(self) -> Iterator[tuple[bool, str | None, datetime | None, datetime]]:
        for row in super().__iter__():
            self.seen.append(self._host.standbys())
            yield row


def test_a_standby_does_not_disappear_while_the_next_answer_is_taken_in() -> None:
    host = PostgresHost(SETTINGS, "127.0.0.1", 1)
    host.learn([(False, "standby", now(), now())])
    rows = Rows(host, [(False, "standby", now(), now())])

    host.learn(rows)

    assert rows.seen == [1]


@pytest.mark.parametrize(("patience", "alive", "standbys"), [(1, False, 0), (3, True, 1)])
def test_with_patience_a_host_and_a_standby_may_be_silent_for_longer(
    monkeypatch: pytest.MonkeyPatch, patience: int, alive: bool, standbys: int
) -> None:
    host = PostgresHost(replace(SETTINGS, patience=patience), "127.0.0.1", 1)
    host.learn([(False, "standby", now(), now())])
    later = time.monotonic() + 5

    monkeypatch.setattr(postgres_hosts, "time", SimpleNamespace(monotonic=lambda: later))

    assert host.is_alive is alive
    assert host.standbys() == standbys


def test_with_patience_a_connection_may_take_longer() -> None:
    usual, patient = (PostgresHost(replace(SETTINGS, patience=patience), "127.0.0.1", 1) for patience in (1, 3))

    for name in ("connect_timeout", "tcp_user_timeout"):
        assert patient.parameters[name] == 3 * usual.parameters[name]
