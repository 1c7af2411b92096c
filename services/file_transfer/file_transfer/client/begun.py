"""Transfers that were begun, so that the same command can go on with them another time."""

import hashlib
import json
import os
from pathlib import Path

from file_transfer.client.errors import ClientError

Key = tuple[str | int | None, ...]
"""All that must be the same for a transfer to be the same."""


class Begun:
    """One small file a transfer, which holds a word about it: an upload's path, a download's ETag."""

    def __init__(self) -> None:
        root = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
        self._folder = Path(root) / "file-transfer"

    def word(self, key: Key) -> str | None:
        """What was kept; None if there is nothing to go on with."""
        try:
            return self._file(key).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return None

    def keep(self, key: Key, word: str) -> None:
        """Keep it in one step.

        Raises:
            ClientError: it cannot be written.
        """
        file = self._file(key)
        new = file.with_suffix(f".{os.getpid()}")
        try:
            # Whoever knows an upload's path can add to it.
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            new.write_text(word, encoding="utf-8")
            new.replace(file)
        except OSError as error:
            raise ClientError(
                f"{error.filename}: {error.strerror}: set XDG_STATE_HOME to a directory that can be written to"
            ) from error

    def forget(self, key: Key) -> None:
        """There is nothing to go on with any more."""
        self._file(key).unlink(missing_ok=True)

    def _file(self, key: Key) -> Path:
        return self._folder / hashlib.sha256(json.dumps(key).encode()).hexdigest()
