"""A chunk store in a bucket of any S3 object store. A key is an object's name under the prefix."""

import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import obstore
from obstore import exceptions
from obstore.store import S3Store

from file_transfer import metrics
from file_transfer.chunks import Chunk, Content, MissingChunkError, NextKey, StorageUnavailableError
from file_transfer.stores.incoming import CHUNK_BYTES, IncomingChunks, batch
from file_transfer.stores.ranges import ChunkRange, ranges, read_ahead

_THREADS = 32
_DELETED_AT_ONCE = 1000  # what S3 accepts in one request


class BucketStore:
    """A store in an existing bucket, which makes the copies itself. Create it in the process that uses it."""

    chunk_bytes = CHUNK_BYTES
    reader_grace = timedelta(minutes=15)

    def __init__(
        self, *, endpoint: str, bucket: str, region: str, prefix: str, access_key: str, secret_key: str
    ) -> None:
        def connect(timeout: str, connect_timeout: str, retries: int) -> S3Store:
            return S3Store(
                bucket,
                endpoint=endpoint,
                region=region,
                prefix=prefix or None,
                access_key_id=access_key,
                secret_access_key=secret_key,
                virtual_hosted_style_request=False,
                # The content is not signed, since that would compute its SHA-256 once more. Damage on the way still
                # shows: the content no longer matches the file's digest, which is sent with every download.
                unsigned_payload=True,
                client_options={
                    "allow_http": endpoint.startswith("http://"),
                    "timeout": timeout,
                    "connect_timeout": connect_timeout,
                },
                retry_config={"max_retries": retries, "retry_timeout": timedelta(seconds=10)},
            )

        # Chunks are small, so a transfer that takes longer than this has failed.
        self._store = connect("10s", "3s", retries=3)
        self._checked = connect("2s", "1s", retries=0)
        self._reading = ThreadPoolExecutor(_THREADS, thread_name_prefix="read")
        self._writing = ThreadPoolExecutor(_THREADS, thread_name_prefix="write")

    def choose_keys(self, size: int | None) -> list[str]:
        """See `ChunkStore.choose_keys`."""
        return [uuid.uuid4().hex for _ in range(batch(size))]

    def receive(self, next_key: NextKey) -> IncomingChunks:
        """See `ChunkStore.receive`."""
        return IncomingChunks(self._put, self._writing, next_key)

    def open(self, chunks: Sequence[Chunk], start: int, size: int) -> Content:
        """See `ChunkStore.open`."""
        return read_ahead(self._reading, self._get, ranges(chunks, start, size))

    def delete(self, keys: Sequence[str]) -> None:
        """See `ChunkStore.delete`."""
        for first in range(0, len(keys), _DELETED_AT_ONCE):
            with _translated_errors("delete"):
                obstore.delete(self._store, keys[first : first + _DELETED_AT_ONCE])

    def free_bytes(self) -> int | None:
        """Return None, since S3 does not tell."""
        return None

    def check(self) -> None:
        """See `ChunkStore.check`."""
        with _translated_errors("check"):
            obstore.list_with_delimiter(
                self._checked, "check"
            )  # an empty folder: one short answer, if there is a bucket

    def check_writable(self) -> None:
        """See `ChunkStore.check_writable`. An object store that answers is expected to store what it accepts."""
        self.check()

    def _put(self, next_key: NextKey, content: bytearray) -> str:
        key = next_key()
        with _translated_errors("put"):
            obstore.put(self._store, key, content, use_multipart=False)
        return key

    def _get(self, wanted: ChunkRange) -> bytes:
        with _translated_errors("get"):
            try:
                found = obstore.get_range(self._store, wanted.chunk.key, start=wanted.start, end=wanted.end).to_bytes()
            except FileNotFoundError as error:
                if "NoSuchBucket" in str(error):
                    raise StorageUnavailableError(_text(error)) from error
                raise MissingChunkError(f"the bucket has no chunk {wanted.chunk.key}") from None
        if len(found) != wanted.size:
            raise MissingChunkError(f"the chunk {wanted.chunk.key} is shorter than {wanted.end} bytes")
        return found


@contextmanager
def _translated_errors(operation: str) -> Iterator[None]:
    """Measure an operation of the object store, and translate its errors into StorageUnavailableError."""
    with metrics.storage(operation):
        try:
            yield
        except exceptions.BaseError as error:
            raise StorageUnavailableError(_text(error)) from error


def _text(error: Exception) -> str:
    return " ".join(str(error).partition("Debug source:")[0].split())[:500]
