"""The options of an upload, and its result."""

from dataclasses import dataclass

from file_transfer_client.errors import ClientError


@dataclass(frozen=True, kw_only=True)
class Options:
    """How the server should store a file. `ttl` is passed on as the user wrote it (seconds, 10m, 2h, 7d)."""

    ttl: str | None = None
    max_downloads: int | None = None
    overwrite: bool = True

    def limits(self) -> dict[str, str]:
        """Return the limits that are set, under the names that the server uses."""
        limits = {"ttl": self.ttl, "max-downloads": self.max_downloads}
        return {name: str(value) for name, value in limits.items() if value is not None}


@dataclass(frozen=True)
class Stored:
    """A transferred file: its name, its size in bytes, and the SHA-256 in hex that the client computed."""

    name: str
    size: int
    sha256: str

    def __str__(self) -> str:
        return f"{self.name} {self.size} bytes sha256:{self.sha256}"

    def verified(self, server_sha256: str | None) -> "Stored":
        """Return this file if the server reports the same SHA-256.

        Raises:
            ClientError: the server reports another one, or none.
        """
        if server_sha256 != self.sha256:
            raise ClientError(f"the server has SHA-256 {server_sha256}, but {self.sha256} was sent: put it again")
        return self
