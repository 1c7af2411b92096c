"""The saved state of unfinished transfers, from which a later run of the same command resumes them."""

import hashlib
import json
import os
from pathlib import Path

from file_transfer_client.errors import ClientError

Key = tuple[str | int | None, ...]
"""Identifies a transfer: everything that must be the same for another run to resume it."""


class ResumeStore:
    """One small file for each unfinished transfer. It holds an upload's path, or a download's ETag."""

    def __init__(self) -> None:
        root = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
        self._folder = Path(root) / "file-transfer"

    def load(self, key: Key) -> str | None:
        """Return what was saved for the transfer, or None if there is nothing to resume."""
        try:
            return self._file(key).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return None

    def save(self, key: Key, resume_state: str) -> None:
        """Save what is needed to resume the transfer, atomically.

        Raises:
            ClientError: the file cannot be written.
        """
        file = self._file(key)
        new = file.with_suffix(f".{os.getpid()}")
        try:
            # The folder is private: anybody who knows an upload's path can add to the upload.
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            new.write_text(resume_state, encoding="utf-8")
            new.replace(file)
        except OSError as error:
            raise ClientError(
                f"{error.filename}: {error.strerror}: set XDG_STATE_HOME to a writable directory"
            ) from error

    def forget(self, key: Key) -> None:
        """Remove what was saved for the transfer."""
        self._file(key).unlink(missing_ok=True)

    def _file(self, key: Key) -> Path:
        return self._folder / hashlib.sha256(json.dumps(key).encode()).hexdigest()
