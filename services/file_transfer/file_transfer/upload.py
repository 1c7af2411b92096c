"""A resumable upload, as the index records it between two requests."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, kw_only=True)
class Upload:
    """An upload: `length` and `offset` are bytes, `metadata` is what the client sent when it created the upload.

    When the last byte has arrived the upload is published as a file. The upload then stays for a while, for a client
    that has lost the last response.
    """

    id: UUID
    length: int
    expires: datetime
    metadata: dict[str, str] = field(default_factory=dict)
    offset: int = 0
    hash_state: bytes | None = field(default=None, repr=False)
    """The state of the SHA-256 of the bytes so far; see `ResumableSha256`."""
    sha256: str | None = None
    """The SHA-256 of the whole file in hex, once it is published."""
