"""Files in a bucket that all replicas see: any object store that speaks S3 and writes with conditions.

pieces/KEY              content, at most 4 MiB each: written once, never changed, by plain PUTs
files/HEX, uploads/HEX  records; HEX is the UTF-8 of the name, so that any name is a key and the order stays. Each
                        begins with a mark that no other writing has. One with nothing after it says that the record
                        was removed: S3 has no delete with a condition that all stores know.
discarded/KEY           keys of pieces that no record names any more, until whoever reads them has finished
"""

import json
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import obstore
from obstore import exceptions
from obstore.store import S3Store

from file_transfer.s3_pieces import IncomingPieces, Part, ahead, answers, parts
from file_transfer.storage import (
    ConflictError,
    Content,
    Piece,
    Record,
    StorageUnavailableError,
    StoredPiece,
    UnknownRecordError,
)

if TYPE_CHECKING:
    from obstore import ObjectMeta, PutMode

READERS_GRACE = timedelta(minutes=15)
"""How long discarded pieces stay for downloads that began before."""

_REMOVED_GRACE = timedelta(days=1)
_CONNECTIONS = 64
_SEGMENT = 240
_MARK_BYTES = 32


class S3Storage:
    """Storage in a bucket that exists. Make it in the process that uses it: its threads do not survive a fork."""

    def __init__(
        self, *, endpoint: str, bucket: str, region: str, prefix: str, access_key: str, secret_key: str
    ) -> None:
        self._store = S3Store(
            bucket,
            endpoint=endpoint,
            region=region,
            prefix=prefix or None,
            access_key_id=access_key,
            secret_access_key=secret_key,
            virtual_hosted_style_request=False,
            # Requests are signed, content is not: its SHA-256 would be computed twice more, here and there. What is
            # changed on its way does not have the digest that the record says, and that every download is sent with.
            unsigned_payload=True,
            client_options={"allow_http": endpoint.startswith("http://"), "timeout": "10s", "connect_timeout": "3s"},
            # A piece is small: what has not arrived after this does not.
            retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=10)},
        )
        self._pool = ThreadPoolExecutor(_CONNECTIONS, thread_name_prefix="object-store")

    @contextmanager
    def receive(self) -> Iterator["IncomingPieces"]:
        """See `Storage.receive`."""
        incoming = IncomingPieces(self._store, self._pool)
        try:
            yield incoming
        finally:
            self.discard(incoming.unkept())

    def open(self, pieces: Sequence[Piece], start: int, size: int) -> Content:
        """See `Storage.open`."""
        return ahead(self._pool, self._fetch, parts(pieces, start, size))

    def discard(self, pieces: Sequence[Piece]) -> None:
        """See `Storage.discard`."""
        if pieces:
            keys = json.dumps([piece.key for piece in pieces]).encode()
            with suppress(StorageUnavailableError), answers("discard"):  # else they are swept one day
                obstore.put(self._store, f"discarded/{uuid.uuid4().hex}", keys)

    def pieces(self) -> Iterator[StoredPiece]:
        """See `Storage.pieces`."""
        for known in self._list("pieces/"):
            yield StoredPiece(Piece(_last(known["path"]), known["size"]), known["last_modified"])

    def read(self, kind: str, name: str) -> Record:
        """See `Storage.read`."""
        found = self._read(_path(kind, name))
        if found is None or len(found.content) == _MARK_BYTES:
            raise UnknownRecordError(name)
        return Record(found.content[_MARK_BYTES:], found.version)

    def write(self, kind: str, name: str, content: bytes, expected: str | None) -> str:
        """See `Storage.write`."""
        path, marked = _path(kind, name), uuid.uuid4().hex.encode() + content
        version, found = self._put(path, marked, {"e_tag": expected} if expected else "create")
        if version is None and expected is None and found and len(found.content) == _MARK_BYTES:
            version, _ = self._put(path, marked, {"e_tag": found.version})
        if version is None:
            raise ConflictError(name)
        return version

    def remove(self, kind: str, name: str, expected: str) -> None:
        """See `Storage.remove`."""
        self.write(kind, name, b"", expected)

    def names(self, kind: str, prefix: str = "", after: str = "") -> Iterator[str]:
        """See `Storage.names`."""
        # A digit short of the prefix is no key: the listing begins with the first name that can begin so.
        begin = max(_path(kind, after) if after else "", f"{kind}/{_segments(prefix.encode().hex()[:-1])}")
        for known in self._list(f"{kind}/", begin):
            name = _name(kind, known["path"])
            if known["size"] > _MARK_BYTES and name.startswith(prefix):
                yield name
            elif name.encode() > prefix.encode() and not name.startswith(prefix):
                return

    def tidy(self) -> None:
        """Take away discarded pieces that nobody reads any more, and the marks of removed records."""
        now = datetime.now(UTC)
        for known in self._list("discarded/"):
            if now - known["last_modified"] > READERS_GRACE:
                record = self._read(known["path"])
                keys = json.loads(record.content) if record else []
                self._delete([*(f"pieces/{key}" for key in keys), known["path"]])
        for kind in ("files/", "uploads/"):
            removed = [
                known["path"]
                for known in self._list(kind)
                if known["size"] == _MARK_BYTES and now - known["last_modified"] > _REMOVED_GRACE
            ]
            self._delete(removed)

    def free_bytes(self) -> int | None:
        """An object store does not say."""
        return None

    def is_ready(self) -> bool:
        """Whether the bucket answers."""
        try:
            self._read("files/ready")
        except StorageUnavailableError:
            return False
        return True

    def _fetch(self, part: Part) -> bytes:
        key, start, size = part
        with answers("get"):
            return obstore.get_range(self._store, f"pieces/{key}", start=start, length=size).to_bytes()

    def _put(self, path: str, marked: bytes, mode: "PutMode") -> tuple[str | None, Record | None]:
        """The new version; or None, and what is there instead."""
        with answers("write"):
            try:
                return obstore.put(self._store, path, marked, mode=mode, use_multipart=False)["e_tag"] or "", None
            except (exceptions.AlreadyExistsError, exceptions.PreconditionError, FileNotFoundError):
                found = self._read(path)
        # It may be our own: an answer was lost, and the request sent a second time.
        return (found.version, None) if found and found.content == marked else (None, found)

    def _read(self, path: str) -> Record | None:
        with answers("read"):
            try:
                found = obstore.get(self._store, path)
            except FileNotFoundError:
                return None
            return Record(found.bytes().to_bytes(), found.meta["e_tag"] or "")

    def _list(self, prefix: str, offset: str | None = None) -> "Iterator[ObjectMeta]":
        batches = iter(obstore.list(self._store, prefix, offset=offset))
        while True:
            with answers("list"):
                try:
                    batch = next(batches, None)
                except exceptions.GenericError as error:
                    if "<Code>NoSuchBucket</Code>" in str(error):
                        return  # the cluster's own store makes it with the first object
                    raise
            if batch is None:
                return
            yield from batch

    def _delete(self, paths: list[str]) -> None:
        for path in paths:
            with answers("delete"):
                try:
                    obstore.delete(self._store, path)
                except FileNotFoundError:
                    continue  # another replica was faster


def _path(kind: str, name: str) -> str:
    return f"{kind}/{_segments(name.encode().hex())}"


def _segments(digits: str) -> str:
    """A long name is a path: SeaweedFS takes 255 characters between two slashes. The order stays, since «-» is less."""
    return "-/".join(digits[at : at + _SEGMENT] for at in range(0, len(digits), _SEGMENT))


def _name(kind: str, path: str) -> str:
    return bytes.fromhex(path.rpartition(f"{kind}/")[2].replace("-/", "")).decode()


def _last(path: str) -> str:
    return path.rpartition("/")[2]
