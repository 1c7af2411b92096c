"""Storage in a bucket that all replicas share, of any S3 object store with conditional writes.

pieces/KEY              chunks of content, at most 4 MiB each, written once and never changed
files/HEX, uploads/HEX  records; HEX is the name's UTF-8 in hex, so that any name is a key and the order stays. Each
                        begins with a mark that is unique to its write. A record with nothing after the mark has been
                        removed, since not all stores support a conditional delete.
discarded/KEY           keys of chunks that no record names any more, kept until their readers have finished
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

from file_transfer.s3_chunks import ChunkRange, IncomingChunks, chunk_ranges, fetch_ahead, translated_errors
from file_transfer.storage import (
    Chunk,
    ConflictError,
    Content,
    Record,
    StorageUnavailableError,
    StoredChunk,
    UnknownRecordError,
)

if TYPE_CHECKING:
    from obstore import ObjectMeta, PutMode

READERS_GRACE = timedelta(minutes=15)
"""How long discarded chunks are kept for downloads that have begun before."""

_REMOVED_GRACE = timedelta(days=1)
_CONNECTIONS = 64
_SEGMENT = 240
_MARK_BYTES = 32


class S3Storage:
    """Storage in an existing bucket. Create it in the process that uses it, since its threads do not survive a fork."""

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
            # The content is not signed, since that would compute its SHA-256 twice more. Damage on the way still
            # shows: the content no longer matches the digest in the record, which is sent with every download.
            unsigned_payload=True,
            client_options={"allow_http": endpoint.startswith("http://"), "timeout": "10s", "connect_timeout": "3s"},
            # Chunks are small, so a transfer that takes longer than this has failed.
            retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=10)},
        )
        self._pool = ThreadPoolExecutor(_CONNECTIONS, thread_name_prefix="object-store")

    @contextmanager
    def receive(self) -> Iterator["IncomingChunks"]:
        """See `Storage.receive`."""
        incoming = IncomingChunks(self._store, self._pool)
        try:
            yield incoming
        finally:
            self.discard(incoming.unkept())

    def open(self, chunks: Sequence[Chunk], start: int, size: int) -> Content:
        """See `Storage.open`."""
        return fetch_ahead(self._pool, self._fetch, chunk_ranges(chunks, start, size))

    def discard(self, chunks: Sequence[Chunk]) -> None:
        """See `Storage.discard`."""
        if chunks:
            keys = json.dumps([chunk.key for chunk in chunks]).encode()
            with suppress(StorageUnavailableError), translated_errors("discard"):  # if this fails, they are swept later
                obstore.put(self._store, f"discarded/{uuid.uuid4().hex}", keys)

    def chunks(self) -> Iterator[StoredChunk]:
        """See `Storage.chunks`."""
        for listed in self._list("pieces/"):
            yield StoredChunk(Chunk(_last(listed["path"]), listed["size"]), listed["last_modified"])

    def read(self, kind: str, name: str) -> Record:
        """See `Storage.read`."""
        found = self._read(_path(kind, name))
        if found is None or len(found.content) == _MARK_BYTES:
            raise UnknownRecordError(name)
        return Record(found.content[_MARK_BYTES:], found.version)

    def write(self, kind: str, name: str, content: bytes, expected: str | None) -> str:
        """See `Storage.write`."""
        path, content_with_mark = _path(kind, name), uuid.uuid4().hex.encode() + content
        version, found = self._put(path, content_with_mark, {"e_tag": expected} if expected else "create")
        if version is None and expected is None and found and len(found.content) == _MARK_BYTES:
            version, _ = self._put(path, content_with_mark, {"e_tag": found.version})
        if version is None:
            raise ConflictError(name)
        return version

    def remove(self, kind: str, name: str, expected: str) -> None:
        """See `Storage.remove`."""
        self.write(kind, name, b"", expected)

    def names(self, kind: str, prefix: str = "", after: str = "") -> Iterator[str]:
        """See `Storage.names`."""
        # The prefix without its last digit is not a key, so the listing begins with the first name that can match.
        begin = max(_path(kind, after) if after else "", f"{kind}/{_segments(prefix.encode().hex()[:-1])}")
        for listed in self._list(f"{kind}/", begin):
            name = _name(kind, listed["path"])
            if listed["size"] > _MARK_BYTES and name.startswith(prefix):
                yield name
            elif name.encode() > prefix.encode() and not name.startswith(prefix):
                return

    def tidy(self) -> None:
        """Delete discarded chunks that nobody reads any more, and the marks of removed records."""
        now = datetime.now(UTC)
        for listed in self._list("discarded/"):
            if now - listed["last_modified"] > READERS_GRACE:
                record = self._read(listed["path"])
                keys = json.loads(record.content) if record else []
                self._delete([*(f"pieces/{key}" for key in keys), listed["path"]])
        for kind in ("files/", "uploads/"):
            removed = [
                listed["path"]
                for listed in self._list(kind)
                if listed["size"] == _MARK_BYTES and now - listed["last_modified"] > _REMOVED_GRACE
            ]
            self._delete(removed)

    def free_bytes(self) -> int | None:
        """Return None, since an object store cannot tell."""
        return None

    def is_ready(self) -> bool:
        """Return whether the bucket responds."""
        try:
            self._read("files/ready")
        except StorageUnavailableError:
            return False
        return True

    def _fetch(self, chunk_range: ChunkRange) -> bytes:
        key, start, size = chunk_range
        with translated_errors("get"):
            return obstore.get_range(self._store, f"pieces/{key}", start=start, length=size).to_bytes()

    def _put(self, path: str, content_with_mark: bytes, mode: "PutMode") -> tuple[str | None, Record | None]:
        """Write, and return the new version, or None and the record that is there instead."""
        with translated_errors("write"):
            try:
                return obstore.put(self._store, path, content_with_mark, mode=mode, use_multipart=False)[
                    "e_tag"
                ] or "", None
            except (exceptions.AlreadyExistsError, exceptions.PreconditionError, FileNotFoundError):
                found = self._read(path)
        # The record may be our own: the response was lost, and the request was sent a second time.
        return (found.version, None) if found and found.content == content_with_mark else (None, found)

    def _read(self, path: str) -> Record | None:
        with translated_errors("read"):
            try:
                found = obstore.get(self._store, path)
            except FileNotFoundError:
                return None
            return Record(found.bytes().to_bytes(), found.meta["e_tag"] or "")

    def _list(self, prefix: str, offset: str | None = None) -> "Iterator[ObjectMeta]":
        batches = iter(obstore.list(self._store, prefix, offset=offset))
        while True:
            with translated_errors("list"):
                try:
                    batch = next(batches, None)
                except exceptions.GenericError as error:
                    if "<Code>NoSuchBucket</Code>" in str(error):
                        return  # the cluster's own store creates the bucket with its first object
                    raise
            if batch is None:
                return
            yield from batch

    def _delete(self, paths: list[str]) -> None:
        for path in paths:
            with translated_errors("delete"):
                try:
                    obstore.delete(self._store, path)
                except FileNotFoundError:
                    continue  # another replica has deleted it


def _path(kind: str, name: str) -> str:
    return f"{kind}/{_segments(name.encode().hex())}"


def _segments(digits: str) -> str:
    """Split a long name, since SeaweedFS allows 255 characters between slashes. `-` sorts first, so the order stays."""
    return "-/".join(digits[start : start + _SEGMENT] for start in range(0, len(digits), _SEGMENT))


def _name(kind: str, path: str) -> str:
    return bytes.fromhex(path.rpartition(f"{kind}/")[2].replace("-/", "")).decode()


def _last(path: str) -> str:
    return path.rpartition("/")[2]
