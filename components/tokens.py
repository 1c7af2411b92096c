"""The tokens that give access to the file service, as the file that its replicas read: they get only digests."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import pulumi


@dataclass(frozen=True, kw_only=True)
class TokenArgs:
    """A token and what it allows: `scopes` are some of read, write and delete.

    It is for names that begin with `prefix`, until the end of the day `expires` in UTC. A file that is stored with it
    without an expiry is kept for the time `ttl`, such as `7d`. All that is stored with it may have `quota_bytes`.
    """

    token: pulumi.Output[str]
    scopes: Sequence[str]
    prefix: str = ""
    expires: date | None = None
    ttl: str = ""
    quota_bytes: int | None = None


def tokens_file(tokens: Mapping[str, TokenArgs]) -> pulumi.Output[str]:
    """Return the file's JSON text: the SHA-256 of each token and what it allows. It is a secret if a token is."""
    return pulumi.Output.json_dumps(
        {
            name: {"sha256": holder.token.apply(_digest), "scopes": list(holder.scopes), **_limits(holder)}
            for name, holder in tokens.items()
        }
    )


def _limits(holder: TokenArgs) -> dict[str, str | int]:
    limits: dict[str, str | int | None] = {
        "prefix": holder.prefix,
        "expires": holder.expires.isoformat() if holder.expires else "",
        "ttl": holder.ttl,
        "quota_bytes": holder.quota_bytes,
    }
    return {name: value for name, value in limits.items() if value}


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
