"""A resumable upload, as it is kept between two requests."""

import json
from dataclasses import dataclass, field
from datetime import datetime

from file_transfer.storage import Piece


@dataclass(frozen=True, kw_only=True)
class Upload:
    """`length` and `offset` are bytes; `metadata` is what the client said.

    Once all has come it is being published, and then it is `published`: it stays a while without pieces, for clients
    whose last answer was lost.
    """

    length: int
    begun: datetime
    expires: datetime
    metadata: dict[str, str] = field(default_factory=dict)
    offset: int = 0
    pieces: tuple[Piece, ...] = ()
    published: bool = False
    sha256: str | None = None
    """Of the whole, in hex, once it is published."""

    def is_over(self, now: datetime) -> bool:
        """Whether nobody may go on with it any more."""
        return self.expires <= now

    def to_record(self) -> bytes:
        """For storage: JSON."""
        return json.dumps(
            {
                "length": self.length,
                "begun": self.begun.isoformat(),
                "expires": self.expires.isoformat(),
                "metadata": self.metadata,
                "offset": self.offset,
                "pieces": [[piece.key, piece.size] for piece in self.pieces],
                "published": self.published,
                "sha256": self.sha256,
            }
        ).encode()

    @classmethod
    def from_record(cls, content: bytes) -> "Upload":
        """What `to_record` made."""
        record = json.loads(content)
        return cls(
            length=record["length"],
            begun=datetime.fromisoformat(record["begun"]),
            expires=datetime.fromisoformat(record["expires"]),
            metadata=record["metadata"],
            offset=record["offset"],
            pieces=tuple(Piece(*piece) for piece in record["pieces"]),
            published=record["published"],
            sha256=record["sha256"],
        )
