"""What is known of PostgreSQL's hosts, while threads ask for it."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from file_transfer.index.postgres_hosts import PostgresHost
from file_transfer.settings import PostgresSettings
from file_transfer.stored_file import now

SETTINGS = PostgresSettings(
    hosts=(("127.0.0.1", 1),), password="", authority=Path("/nowhere"), connections=1, standbys=1
)


class Rows(list[tuple[bool, str | None, datetime | None]]):
    """Rows that are watched while they are taken in."""

    def __init__(self, host: PostgresHost, rows: Sequence[tuple[bool, str | None, datetime | None]]) -> None:
        super().__init__(rows)
        self._host = host
        self.seen: list[int] = []

    def __iter__(self) -> Iterator[tuple[bool, str | None, datetime | None]]:
        for row in super().__iter__():
            self.seen.append(self._host.standbys())
            yield row


def test_a_standby_does_not_disappear_while_the_next_answer_is_taken_in() -> None:
    host = PostgresHost(SETTINGS, "127.0.0.1", 1)
    host.learn([(False, "standby", now())])
    rows = Rows(host, [(False, "standby", now())])

    host.learn(rows)

    assert rows.seen == [1]
