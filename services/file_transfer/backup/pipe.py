"""A restore by two processes: the reader has the backups, and the writer may write the files.

With `storage: directory`, the files are written by the file service's own user, who has neither the repository nor its
password. The standard output of each process is the standard input of the other. The reader sends what is wanted, as
JSON in one line. Once the writer agrees, the reader sends the archive: blocks after their sizes, and an empty one at
the end. The writer answers each of the two with one line of JSON. An error is an answer too, which the reader reports.
"""

import json
import select
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict
from typing import IO, Any, BinaryIO

from backup.archive import BLOCK_BYTES, ArchiveError
from backup.restore import Restored, RestoreError, Wanted
from file_transfer.catalogue import Catalogue

_SIZE_BYTES = 4


class Writer:
    """The other process, as the reader sees it: it answers on `answers`, and gets the rest from `target`."""

    def __init__(self, answers: BinaryIO, target: BinaryIO) -> None:
        self._answers = answers
        self._target = target

    def agree(self, wanted: Wanted) -> None:
        """Say what is to be restored.

        Raises:
            RestoreError: the writer refuses it, or is gone.
        """
        self._send(json.dumps(asdict(wanted)).encode() + b"\n")
        self._answer()

    def restore(self, stream: IO[bytes]) -> Restored:
        """Send the archive, and return what the writer has restored. It may need only the beginning.

        Raises:
            RestoreError: the writer has failed, or is gone.
        """
        while not self._has_answered() and (block := stream.read(BLOCK_BYTES)):
            self._send(len(block).to_bytes(_SIZE_BYTES) + block)
        self._send(bytes(_SIZE_BYTES))
        return Restored(**self._answer())

    def _has_answered(self) -> bool:
        return bool(select.select([self._answers], [], [], 0)[0])

    def _send(self, data: bytes) -> None:
        try:
            self._target.write(data)
            self._target.flush()
        except BrokenPipeError:
            raise _gone() from None

    def _answer(self) -> dict[str, Any]:
        line = self._answers.readline()
        if not line:
            raise _gone()
        answer: dict[str, Any] = json.loads(line)
        if error := answer.pop("error", None):
            raise RestoreError(error)
        return answer


def _gone() -> RestoreError:
    return RestoreError(
        "the process that writes the files ended early; its own error is above. Repeat the command. If you are "
        "restoring all files, add --keep-existing"
    )


def write(
    source: BinaryIO,
    answers: BinaryIO,
    storage: Callable[[], AbstractContextManager[Catalogue]],
    expected: tuple[type[Exception], ...],
) -> None:
    """Be the writer: restore to the storage what the reader sends. Errors that are `expected` are answers."""
    blocks = _Blocks(source)
    try:
        line = source.readline()
        if not line:
            raise _ended()
        wanted = Wanted(**json.loads(line))
        with storage() as catalogue:
            wanted.check(catalogue)
            _send_answer(answers, {})
            restored = wanted.restore(catalogue, blocks)  # type: ignore[arg-type] # it needs only `read`
        _send_answer(answers, asdict(restored))
    except expected as error:
        with suppress(BrokenPipeError):  # there is nobody to tell
            _send_answer(answers, {"error": str(error)})
    blocks.drop()


def _send_answer(answers: BinaryIO, answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer).encode() + b"\n")
    answers.flush()


class _Blocks:
    """The archive that the reader sends, as a file that can be read once. Nobody sends blocks above BLOCK_BYTES."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._block = b""
        self._has_ended = False

    def read(self, size: int) -> bytes:
        """Return up to this many bytes, at least one before the end.

        Raises:
            ArchiveError: the reader has ended before the archive has.
        """
        if not self._block and not self._has_ended:
            self._block = self._exactly(int.from_bytes(self._exactly(_SIZE_BYTES)))
            self._has_ended = not self._block
        data, self._block = self._block[:size], self._block[size:]
        return data

    def drop(self) -> None:
        """Read and discard what the reader still sends. A broken pipe could end it before it has read the answer."""
        while self._source.read(BLOCK_BYTES):
            pass

    def _exactly(self, size: int) -> bytes:
        data = self._source.read(size)
        if len(data) < size:
            raise _ended()
        return data


def _ended() -> ArchiveError:
    return ArchiveError("the process that reads the backup ended early; its own error is above")
