"""The archive of all files, `files.tar`: written from a catalogue, and read again.

It is an ordinary tar archive in the PAX format, so that the files can be had without this program. Each file is a
member `files/NAME`; what tar knows nothing about is in PAX headers. The last member is `summary.json`.

Writing it reads every byte that is stored and compares it with its SHA-256, so it also finds damaged files.
"""

import errno
import hashlib
import io
import json
import logging
import tarfile
from collections.abc import Iterator
from contextlib import closing, nullcontext
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import IO, Protocol

from file_transfer import names
from file_transfer.catalogue import Catalogue
from file_transfer.chunks import Data, MissingChunkError, blocks
from file_transfer.ranges import Range
from file_transfer.stored_file import StoredFile

FILENAME = "files.tar"

BLOCK_BYTES = 256 * 1024

_FOLDER = "files/"
_SUMMARY = "summary.json"
_KEYWORD = "SWARMTRANSFER."
_PAGE = 500
_ATTEMPTS = 5
_log = logging.getLogger("backup")


class ArchiveError(Exception):
    """The archive is cut short, or not one of ours."""


class Writable(Protocol):
    """What an archive is written to."""

    def write(self, data: Data, /) -> object:
        """Write the next bytes."""


@dataclass
class Contents:
    """What an archive contains: how many files, and their bytes. The names are of files that have no whole content.

    `removed` ones were removed or replaced while they were read. `damaged` ones are in the index, but their bytes are
    gone or wrong.
    """

    files: int = 0
    bytes: int = 0
    removed: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Member:
    """A file in an archive, as it was when it was read, and the name of the token for which it counts; "" for none.

    `content` may be read until the next member is.
    """

    name: str
    size: int
    sha256: str
    modified: datetime
    expires: datetime | None
    downloads_left: int | None
    token: str
    content: IO[bytes]

    def blocks(self) -> Iterator[bytes]:
        """Yield the content in blocks.

        Raises:
            ArchiveError: the archive is cut short.
        """
        try:
            yield from iter(lambda: self.content.read(BLOCK_BYTES), b"")
        except tarfile.ReadError as error:
            raise _cut_short(error) from error


def write(catalogue: Catalogue, target: Writable) -> Contents:
    """Write the archive of all files, one after the other. No download is counted.

    Raises:
        StorageUnavailableError: the index or the store cannot be read at the moment.
    """
    contents = Contents()
    # tarfile asks for a whole file object, and uses nothing but its `write`.
    archive = tarfile.open(  # noqa: SIM115 - closing it after an exception would write to the target
        fileobj=target,  # type: ignore[call-overload]
        mode="w|",
        format=tarfile.PAX_FORMAT,
        bufsize=BLOCK_BYTES,
        copybufsize=BLOCK_BYTES,
    )
    for name in _names(catalogue):
        _add(archive, catalogue, name, contents)
        archive.members.clear()  # it would remember all of them
    summary = json.dumps(asdict(contents), indent=2).encode()
    info = tarfile.TarInfo(_SUMMARY)
    info.size = len(summary)
    archive.addfile(info, io.BytesIO(summary))
    archive.close()
    return contents


class Reader:
    """Reads an archive from a stream. `contents` is what its summary says, once all members have been read."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.contents = Contents()

    def members(self) -> Iterator[Member]:
        """Yield the files one after the other.

        Raises:
            ArchiveError: the archive is cut short.
        """
        try:
            with tarfile.open(fileobj=self._stream, mode="r|", bufsize=BLOCK_BYTES) as archive:
                while info := archive.next():
                    archive.members.clear()  # type: ignore[attr-defined] # not in the stubs
                    content = archive.extractfile(info)
                    if content is None:
                        raise ArchiveError(f"{info.name} is no file: the archive is none of this service")
                    if info.name == _SUMMARY:
                        self.contents = Contents(**json.loads(content.read()))
                        return
                    yield _member(info, content)
        except tarfile.ReadError as error:
            raise _cut_short(error) from error
        raise ArchiveError("the archive of the files is cut short: it has no summary at its end")


def _cut_short(error: tarfile.ReadError) -> ArchiveError:
    return ArchiveError(f"the archive of the files is cut short or damaged: {error}")


def _names(catalogue: Catalogue) -> Iterator[str]:
    after = ""
    while page := catalogue.page("", after, _PAGE):
        yield from (file.name for file in page)
        after = page[-1].name


def _add(archive: tarfile.TarFile, catalogue: Catalogue, name: str, contents: Contents) -> None:
    """Add one file, in the version that is current when its content is opened."""
    missing = None
    for _ in range(_ATTEMPTS):  # a file may be replaced again and again
        file = catalogue.find(name)
        if file is None:
            return
        try:
            content = None if file.data is not None else catalogue.open(file, Range(0, file.size))
        except MissingChunkError:
            if missing == file.version:
                _report_damage(contents, name)
                return
            missing = file.version  # look once more: it may have been replaced just now
            continue
        with closing(content) if content else nullcontext():
            read = _ReadFile(iter([file.data or b""]) if content is None else blocks(content))
            archive.addfile(_info(file, catalogue.owner(file)), read)  # type: ignore[arg-type] # it needs only `read`
        contents.files += 1
        contents.bytes += file.size
        if read.is_cut_short and not _is_current(catalogue, file):
            contents.removed.append(name)
        elif read.is_cut_short or read.sha256 != file.sha256:
            _report_damage(contents, name)
        return
    contents.removed.append(name)


def _is_current(catalogue: Catalogue, file: StoredFile) -> bool:
    current = catalogue.find(file.name)
    return current is not None and current.version == file.version


def _report_damage(contents: Contents, name: str) -> None:
    _log.error("the file %s is damaged: its bytes are gone or wrong", names.printable(name))
    contents.damaged.append(name)


class _ReadFile:
    """The content of a file. Bytes that are gone are read as zeros, since the archive already says its size."""

    def __init__(self, content: Iterator[bytes]) -> None:
        self._content = content
        self._buffer = bytearray()
        self._hash = hashlib.sha256()
        self.is_cut_short = False

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def read(self, size: int) -> bytes:
        """Return exactly `size` bytes, with zeros in the place of those that are gone."""
        while len(self._buffer) < size and not self.is_cut_short:
            self._buffer += self._next()
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        self._hash.update(data)
        return data.ljust(size, b"\0")

    def _next(self) -> bytes:
        try:
            return next(self._content)
        except (StopIteration, MissingChunkError):
            pass
        except OSError as error:
            if error.errno != errno.EIO:  # which means that the disk cannot read it any more
                raise
        self.is_cut_short = True
        return b""


def _info(file: StoredFile, token: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(_FOLDER + file.name)
    info.size = file.size
    info.mtime = file.modified.timestamp()
    headers = {
        "sha256": file.sha256,
        "expires": file.expires.isoformat() if file.expires else None,
        "downloads_left": None if file.downloads_left is None else str(file.downloads_left),
        "token": token or None,
    }
    info.pax_headers = {_KEYWORD + name: value for name, value in headers.items() if value is not None}
    return info


def _member(info: tarfile.TarInfo, content: IO[bytes]) -> Member:
    headers = info.pax_headers
    expires, downloads = headers.get(f"{_KEYWORD}expires"), headers.get(f"{_KEYWORD}downloads_left")
    return Member(
        name=info.name.removeprefix(_FOLDER),
        size=info.size,
        sha256=headers.get(f"{_KEYWORD}sha256", ""),
        modified=datetime.fromtimestamp(info.mtime, UTC),
        expires=datetime.fromisoformat(expires) if expires else None,
        downloads_left=int(downloads) if downloads else None,
        token=headers.get(f"{_KEYWORD}token", ""),
        content=content,
    )
