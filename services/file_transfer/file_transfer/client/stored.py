"""What is asked of the server with a file, and what has become of it."""

from dataclasses import dataclass

from file_transfer.client.errors import ClientError


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the server is to do with a file; `ttl` in its own words (seconds, 10m, 2h, 7d)."""

    ttl: str | None = None
    max_downloads: int | None = None
    overwrite: bool = True

    def limits(self) -> dict[str, str]:
        """The limits that are set, by the names that the server knows."""
        limits = {"ttl": self.ttl, "max-downloads": self.max_downloads}
        return {name: str(value) for name, value in limits.items() if value is not None}


@dataclass(frozen=True)
class Stored:
    """A file as it was sent: its name, its size in bytes, its SHA-256 in hex."""

    name: str
    size: int
    sha256: str

    def __str__(self) -> str:
        return f"{self.name} {self.size} bytes sha256:{self.sha256}"

    def compared(self, stated: str | None) -> "Stored":
        """Itself, if the server states the same SHA-256.

        Raises:
            ClientError: it does not.
        """
        if stated != self.sha256:
            raise ClientError(f"the server has SHA-256 {stated}, but {self.sha256} was sent: put it again")
        return self
