"""Restoring files from the archive of a backup: each is published only if its content has the SHA-256 that it had."""

from dataclasses import dataclass, field
from typing import IO

from backup.archive import Member, Reader
from file_transfer import names
from file_transfer.catalogue import Catalogue
from file_transfer.chunks import StorageFullError, StorageUnavailableError
from file_transfer.clock import now
from file_transfer.conditions import NONE, Conditions
from file_transfer.errors import PreconditionError, RefusedError
from file_transfer.index import usage
from file_transfer.index.contents import LeaseLostError
from file_transfer.lifetime import Lifetime
from file_transfer.limits import Owner

_NO_FILE_YET = Conditions(none_match=frozenset({"*"}))


class RestoreError(Exception):
    """Nothing, or not everything, can be restored. The message says why, and what to do."""


@dataclass
class Restored:
    """What was restored: how many files, their bytes, how many names existed already, and how many files had expired.

    The content of `removed` and `damaged` ones is not in the backup: they were removed while the backup was made, or
    their bytes were gone or wrong by then.
    """

    files: int = 0
    bytes: int = 0
    existing: int = 0
    expired: int = 0
    removed: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """Describe it in one line."""
        parts = [f"{self.files} files with {self.bytes} bytes are restored"]
        parts += [f"{self.existing} exist already and stay as they are"] if self.existing else []
        parts += [f"{self.expired} have expired"] if self.expired else []
        parts += [f"{len(self.removed)} were removed during the backup"] if self.removed else []
        parts += [f"{len(self.damaged)} were damaged in the backup"] if self.damaged else []
        return "; ".join(parts)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to be restored: the file with this `name`, or if it is None all files.

    The file `replaces` one that exists. All files are refused if any file exists, unless `keep_existing`.
    """

    name: str | None = None
    replaces: bool = False
    keep_existing: bool = False

    def check(self, catalogue: Catalogue) -> None:
        """Check that what exists allows it.

        Raises:
            RestoreError: it does not.
        """
        if self.name is None:
            if not self.keep_existing:
                check_is_empty(catalogue)
        elif not self.replaces:
            check_is_missing(catalogue, self.name)

    def restore(self, catalogue: Catalogue, stream: IO[bytes]) -> Restored:
        """Restore it from an archive. See `restore_all` and `restore_one`."""
        if self.name is None:
            return restore_all(catalogue, stream)
        return restore_one(catalogue, stream, self.name, replaces=self.replaces)


def check_is_empty(catalogue: Catalogue) -> None:
    """Check that no file is in the index, so that a restore overwrites nothing.

    Raises:
        RestoreError: there are files.
    """
    if catalogue.page("", "", 1):
        _, files = catalogue.database.read(usage.total)
        raise RestoreError(
            f"the index has {files} files: a restore is for an empty cluster; "
            "--keep-existing restores only the names that are missing"
        )


def check_is_missing(catalogue: Catalogue, name: str) -> None:
    """Check that there is no file with this name.

    Raises:
        RestoreError: there is one.
    """
    if catalogue.find(name):
        raise RestoreError(f"the file {names.printable(name)} exists: --replace replaces it")


def restore_all(catalogue: Catalogue, stream: IO[bytes]) -> Restored:
    """Restore all files of an archive but those whose names exist.

    Raises:
        ArchiveError: the archive is cut short.
        RestoreError: the storage failed. What was restored stays.
    """
    restored = Restored()
    reader = Reader(stream)
    for member in reader.members():
        try:
            _restore(catalogue, member, restored, _NO_FILE_YET)
        except (StorageUnavailableError, StorageFullError, LeaseLostError, RefusedError) as error:
            raise RestoreError(f"{restored}, then: {error}; continue with --keep-existing") from error
    removed = set(reader.contents.removed)
    missing = set(reader.contents.damaged) - set(restored.damaged)  # those without any byte are not in the archive
    restored.removed = [name for name in restored.damaged if name in removed]
    restored.damaged = [name for name in restored.damaged if name not in removed] + sorted(missing)
    return restored


def restore_one(catalogue: Catalogue, stream: IO[bytes], name: str, *, replaces: bool) -> Restored:
    """Restore one file, and read no further than its end.

    Raises:
        RestoreError: it is not in the backup, or it exists already and must not be replaced.
        ArchiveError: the archive is cut short.
        StorageUnavailableError: the storage failed.
    """
    reader = Reader(stream)
    for member in reader.members():
        if member.name == name:
            restored = Restored()
            _restore(catalogue, member, restored, NONE if replaces else _NO_FILE_YET)
            if restored.existing:
                raise RestoreError(f"the file {names.printable(name)} exists: --replace replaces it")
            if restored.expired:
                raise RestoreError(f"the file {names.printable(name)} expired at {member.expires}")
            if restored.damaged:
                raise RestoreError(f"the content of {names.printable(name)} is damaged in this backup: try another one")
            return restored
    if name in reader.contents.damaged:
        raise RestoreError(f"the bytes of {names.printable(name)} were gone when this backup was made: try another one")
    raise RestoreError(f"there is no file {names.printable(name)} in this backup")


def _restore(catalogue: Catalogue, member: Member, restored: Restored, condition: Conditions) -> None:
    if member.expires and member.expires <= now():
        restored.expired += 1
        return
    if condition is _NO_FILE_YET and catalogue.find(member.name):
        restored.existing += 1
        return
    # It counts for the same token as before, also if that has less room now.
    with catalogue.receive(member.size, Owner(name=member.token)) as incoming:
        for block in member.blocks():
            incoming.write(block)
        if incoming.sha256 != member.sha256:
            restored.damaged.append(member.name)
            return
        lifetime = Lifetime(expires=member.expires, downloads=member.downloads_left)
        try:
            catalogue.publish({member.name: incoming}, lifetime, condition, member.modified)
        except PreconditionError:
            restored.existing += 1  # somebody has stored it meanwhile
            return
    restored.files += 1
    restored.bytes += member.size
