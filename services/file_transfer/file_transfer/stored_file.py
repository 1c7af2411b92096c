"""A stored file, as users see it and as the index records it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4


@dataclass(frozen=True, kw_only=True)
class StoredFile:
    """A whole file: its size in bytes, the SHA-256 of its content in hex, and when it was stored (UTC).

    It expires at `expires` (None: never), or when no `downloads_left` remain (None: no limit). `version` differs each
    time that a file is published under the name. Small content is in `data`; if that is None, it is in chunks.
    """

    name: str
    size: int
    sha256: str
    modified: datetime
    version: UUID = field(default_factory=uuid4)
    expires: datetime | None = None
    downloads_left: int | None = None
    data: bytes | None = field(default=None, repr=False)

    @property
    def etag(self) -> str:
        """The strong entity tag, which depends on the content only, so all replicas send the same one."""
        return f'"{self.sha256}"'

    def is_expired(self, now: datetime) -> bool:
        """Return whether the file has expired."""
        return self.expires is not None and self.expires <= now

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
