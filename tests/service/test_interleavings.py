"""Everything at once: publish, replace, remove, expire, resume and sweep, with leases that end at any time.

Whatever happens in between, each file is whole, nothing that is used is deleted, and nothing else stays.
"""

import hashlib
import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import timedelta
from typing import Any

import pytest
from memory_store import MemoryStore
from sqlalchemy import Row, Table, select

from file_transfer import incoming, reservation, sweep, upload_content, uploads
from file_transfer.catalogue import Catalogue, UnknownFileError
from file_transfer.chunks import MissingChunkError, StorageUnavailableError, blocks
from file_transfer.clock import now
from file_transfer.errors import RefusedError
from file_transfer.index import contents, schema, usage
from file_transfer.index.contents import LeaseLostError
from file_transfer.index.database import Database
from file_transfer.lifetime import Lifetime
from file_transfer.limits import Limits, Owner
from file_transfer.ranges import Range
from file_transfer.stored_file import StoredFile

pytestmark = pytest.mark.slow

NAMES = ("a", "b", "c")
TOKENS = ("ci", "press", "")
THREADS = 8
ACTIONS = 60
EXPECTED = (RefusedError, UnknownFileError, uploads.UnknownUploadError, StorageUnavailableError, LeaseLostError)


class Client:
    """A client that does one thing after the other, at random."""

    def __init__(self, catalogue: Catalogue, seed: int, owner: Owner) -> None:
        self._catalogue = catalogue
        self._owner = owner
        self._chance = random.Random(seed)
        self._uploads = uploads.Uploads(catalogue)

    def act(self) -> None:
        actions = [self._put, self._put, self._remove, self._read, self._read, self._resume, self._sweep]
        with suppress(*EXPECTED):
            self._chance.choice(actions)()
        if self._owner.name and self._owner.quota:
            assert self._catalogue.database.read(usage.of_tokens).get(self._owner.name, 0) <= self._owner.quota

    def _put(self) -> None:
        content = self._chance.randbytes(self._chance.choice([1, 10, 999, 2500, 5000]))
        lifetime = Lifetime(ttl=self._chance.choice([None, None, timedelta(milliseconds=20)]))
        with self._catalogue.receive(self._chance.choice([None, len(content)]), self._owner) as file:
            for first in range(0, len(content), 700):
                file.write(content[first : first + 700])
            self._catalogue.publish({self._chance.choice(NAMES): file}, lifetime)

    def _resume(self) -> None:
        content = self._chance.randbytes(self._chance.choice([10, 3000]))
        metadata = {"filename": self._chance.choice(NAMES)}
        identifier = self._uploads.create(len(content), metadata, self._owner).id.hex
        if self._chance.random() < 0.2:
            self._uploads.remove(self._uploads.find(identifier))
        # Two requests at once, as after a connection that the client believes to be broken.
        with ThreadPoolExecutor(2) as pool:
            for _ in range(2):
                pool.submit(self._append, identifier, content)

    def _append(self, identifier: str, content: bytes) -> None:
        with suppress(*EXPECTED):
            offset = 0
            while offset < len(content):
                part = content[offset : offset + 1300]
                upload = self._uploads.find(identifier)
                offset = self._uploads.append(upload, offset, iter([part]), None, len(part)).offset

    def _remove(self) -> None:
        self._catalogue.remove(self._chance.choice(NAMES))

    def _read(self) -> None:
        check_content(self._catalogue, self._catalogue.look_up(self._chance.choice(NAMES)))

    def _sweep(self) -> None:
        sweep.sweep(self._catalogue)


def check_content(catalogue: Catalogue, file: StoredFile) -> None:
    """Check that the file is whole, unless it has been replaced or removed meanwhile."""
    if file.data is not None:
        content = file.data
    else:
        try:
            with closing(catalogue.open(file, Range(0, file.size))) as opened:
                content = b"".join(blocks(opened))
        except MissingChunkError:
            current = catalogue.find(file.name)
            assert current is None or current.version != file.version
            return
    assert hashlib.sha256(content).hexdigest() == file.sha256


@pytest.mark.parametrize(("quota", "token_quota"), [(0, 0), (40_000, 0), (40_000, 9000)])
def test_files_stay_whole_and_nothing_else_stays(
    database: Database, monkeypatch: pytest.MonkeyPatch, quota: int, token_quota: int
) -> None:
    monkeypatch.setattr(incoming, "SMALL_BYTES", 100)
    monkeypatch.setattr(reservation, "_ROOM", 1000)
    monkeypatch.setattr(contents, "LEASE", timedelta(milliseconds=30))
    monkeypatch.setattr(upload_content, "KEPT", timedelta(milliseconds=100))
    store = MemoryStore()
    catalogue = Catalogue(database, store, Limits(max_file=10_000, quota=quota))

    def run(seed: int) -> None:
        client = Client(catalogue, seed, Owner(name=TOKENS[seed % len(TOKENS)], quota=token_quota))
        for _ in range(ACTIONS):
            client.act()

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(run, range(THREADS)))
    files = catalogue.page("", "", 1000)
    for file in files:
        found = catalogue.find(file.name)
        if found:
            check_content(catalogue, found)

    unlimited = Catalogue(database, store, Limits(max_file=10_000))
    uploads.Uploads(unlimited).create(10, {"filename": "unfinished"})
    much_later = now() + timedelta(days=2)
    # The content of an upload that has expired stays for another lease, since a request may still be writing it.
    for moment in (much_later, much_later + contents.LEASE):
        monkeypatch.setattr(sweep, "now", lambda moment=moment: moment)
        sweep.sweep(catalogue)
    kept = [catalogue.look_up(file.name) for file in catalogue.page("", "", 1000)]
    for file in kept:
        check_content(catalogue, file)
    assert database.read(usage.total) == (sum(file.size for file in kept), len(kept))
    for token in TOKENS[:-1]:
        stored = sum(file.size for file in kept if catalogue.owner(file) == token)
        assert database.read(usage.of_tokens).get(token, 0) == stored
    assert {row.version for row in rows(database, schema.owners)} <= {file.version for file in kept}
    large = {file.version for file in kept if file.data is None}
    left = [row for row in rows(database, schema.contents) if row.id not in large]
    assert left == []
    assert rows(database, schema.uploads) == []
    keys = database.read(lambda connection: set(connection.execute(select(schema.chunks.c.key)).scalars()))
    assert keys == store.stored.keys()


def rows(database: Database, table: Table) -> list[Row[Any]]:
    return list(database.read(lambda connection: connection.execute(select(table)).all()))
