"""A file as users see it, and how long it is to be there."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from file_transfer.storage import Piece


@dataclass(frozen=True, kw_only=True)
class StoredFile:
    """A whole file: its size in bytes, the SHA-256 of its content in hex, and when it was stored (UTC).

    After `expires`, or with no `downloads_left`, it is as if it were not there; None: for ever, any number.
    """

    name: str
    size: int
    sha256: str
    modified: datetime
    expires: datetime | None = None
    downloads_left: int | None = None
    pieces: tuple[Piece, ...] = ()

    @property
    def etag(self) -> str:
        """The strong entity tag: the same on every replica and for the same content."""
        return f'"{self.sha256}"'

    def is_over(self, now: datetime) -> bool:
        """Whether nobody may have it any more."""
        return (self.expires is not None and self.expires <= now) or self.downloads_left == 0

    def described(self) -> dict[str, Any]:
        """For users, in JSON."""
        return {
            "name": self.name,
            "size": self.size,
            "sha256": self.sha256,
            "modified": self.modified.isoformat(timespec="seconds"),
            "expires": self.expires.isoformat(timespec="seconds") if self.expires else None,
            "downloads_left": self.downloads_left,
        }

    def to_record(self) -> bytes:
        """For storage: JSON."""
        return json.dumps(
            {
                "name": self.name,
                "size": self.size,
                "sha256": self.sha256,
                "modified": self.modified.isoformat(),
                "expires": self.expires.isoformat() if self.expires else None,
                "downloads_left": self.downloads_left,
                "pieces": [[piece.key, piece.size] for piece in self.pieces],
            },
            ensure_ascii=False,
        ).encode()

    @classmethod
    def from_record(cls, content: bytes) -> "StoredFile":
        """What `to_record` made."""
        record = json.loads(content)
        return cls(
            name=record["name"],
            size=record["size"],
            sha256=record["sha256"],
            modified=datetime.fromisoformat(record["modified"]),
            expires=datetime.fromisoformat(record["expires"]) if record["expires"] else None,
            downloads_left=record["downloads_left"],
            pieces=tuple(Piece(*piece) for piece in record["pieces"]),
        )


def now() -> datetime:
    """The time in UTC."""
    return datetime.now(UTC)
