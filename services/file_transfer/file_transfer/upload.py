"""A resumable upload, as the index records it between two requests."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from file_transfer import conditions, digests, lifetime, names
from file_transfer.conditions import Conditions
from file_transfer.lifetime import Lifetime


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

    def file_name(self) -> str:
        """Return the checked name of the upload's file.

        Raises:
            NameRefusedError: it has none.
        """
        return names.checked(self.metadata.get("filename") or self.metadata.get("name"))

    def declared_sha256(self) -> str | None:
        """Return the SHA-256 in hex that the client declares for the whole file, or None if it declares none.

        Raises:
            InvalidRequestError: it is no SHA-256.
        """
        text = self.metadata.get("sha256")
        return digests.from_hex(text) if text else None

    def condition(self) -> Conditions:
        """Return the condition on which the file may be published.

        Raises:
            InvalidRequestError: it is malformed.
        """
        return conditions.parse({name: self.metadata.get(name.lower()) for name in ("If-Match", "If-None-Match")})

    def lifetime(self, now: datetime) -> Lifetime:
        """Return how long the file is to be kept.

        Raises:
            InvalidRequestError: a parameter is invalid, or the file would have expired already.
        """
        return lifetime.parse(self.metadata, now)
