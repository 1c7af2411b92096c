"""A resumable upload, as storage records it between two requests."""

import json
from dataclasses import dataclass, field
from datetime import datetime

from file_transfer.storage import Chunk


@dataclass(frozen=True, kw_only=True)
class Upload:
    """An upload: `length` and `offset` are bytes, `metadata` is what the client sent when it created the upload.

    When the last byte has arrived the upload is published as a file. Its record then stays for a while without
    chunks, for a client that has lost the last response.
    """

    length: int
    created: datetime
    expires: datetime
    metadata: dict[str, str] = field(default_factory=dict)
    offset: int = 0
    chunks: tuple[Chunk, ...] = ()
    published: bool = False
    sha256: str | None = None
    """The SHA-256 of the whole file in hex, once it is published."""

    def is_expired(self, now: datetime) -> bool:
        """Return whether the upload has expired, so that it cannot be resumed."""
        return self.expires <= now

    def to_record(self) -> bytes:
        """Encode the upload's record for storage, as JSON."""
        return json.dumps(
            {
                "length": self.length,
                "begun": self.created.isoformat(),
                "expires": self.expires.isoformat(),
                "metadata": self.metadata,
                "offset": self.offset,
                "pieces": [[chunk.key, chunk.size] for chunk in self.chunks],
                "published": self.published,
                "sha256": self.sha256,
            }
        ).encode()

    @classmethod
    def from_record(cls, content: bytes) -> "Upload":
        """Decode a record that `to_record` has encoded."""
        record = json.loads(content)
        return cls(
            length=record["length"],
            created=datetime.fromisoformat(record["begun"]),
            expires=datetime.fromisoformat(record["expires"]),
            metadata=record["metadata"],
            offset=record["offset"],
            chunks=tuple(Chunk(*chunk) for chunk in record["pieces"]),
            published=record["published"],
            sha256=record["sha256"],
        )
