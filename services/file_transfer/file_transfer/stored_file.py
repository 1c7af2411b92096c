"""A stored file, as users see it and as storage records it."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from file_transfer.storage import Chunk


@dataclass(frozen=True, kw_only=True)
class StoredFile:
    """A whole file: its size in bytes, the SHA-256 of its content in hex, and when it was stored (UTC).

    It expires at `expires`, or when no `downloads_left` remain. None means never, or any number.
    """

    name: str
    size: int
    sha256: str
    modified: datetime
    expires: datetime | None = None
    downloads_left: int | None = None
    chunks: tuple[Chunk, ...] = ()

    @property
    def etag(self) -> str:
        """The strong entity tag, which depends on the content only, so all replicas send the same one."""
        return f'"{self.sha256}"'

    def is_expired(self, now: datetime) -> bool:
        """Return whether the file has expired."""
        return (self.expires is not None and self.expires <= now) or self.downloads_left == 0

    def to_json(self) -> dict[str, Any]:
        """Return the description that users get, ready to be encoded as JSON."""
        return {
            "name": self.name,
            "size": self.size,
            "sha256": self.sha256,
            "modified": self.modified.isoformat(timespec="seconds"),
            "expires": self.expires.isoformat(timespec="seconds") if self.expires else None,
            "downloads_left": self.downloads_left,
        }

    def to_record(self) -> bytes:
        """Encode the file's record for storage, as JSON."""
        return json.dumps(
            {
                "name": self.name,
                "size": self.size,
                "sha256": self.sha256,
                "modified": self.modified.isoformat(),
                "expires": self.expires.isoformat() if self.expires else None,
                "downloads_left": self.downloads_left,
                "pieces": [[chunk.key, chunk.size] for chunk in self.chunks],
            },
            ensure_ascii=False,
        ).encode()

    @classmethod
    def from_record(cls, content: bytes) -> "StoredFile":
        """Decode a record that `to_record` has encoded."""
        record = json.loads(content)
        return cls(
            name=record["name"],
            size=record["size"],
            sha256=record["sha256"],
            modified=datetime.fromisoformat(record["modified"]),
            expires=datetime.fromisoformat(record["expires"]) if record["expires"] else None,
            downloads_left=record["downloads_left"],
            chunks=tuple(Chunk(*chunk) for chunk in record["pieces"]),
        )


def now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)
