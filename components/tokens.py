"""The tokens that give access to the file service, as the file that its replicas read: they get only digests."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi


@dataclass(frozen=True, kw_only=True)
class TokenArgs:
    """A token and what it allows: `scopes` are some of read, write and delete."""

    token: pulumi.Output[str]
    scopes: Sequence[str]


def tokens_file(tokens: Mapping[str, TokenArgs]) -> pulumi.Output[str]:
    """Return the file's JSON text: the SHA-256 and the scopes of each token, by name. It is a secret if a token is."""
    return pulumi.Output.json_dumps(
        {
            name: {"sha256": holder.token.apply(_digest), "scopes": list(holder.scopes)}
            for name, holder in tokens.items()
        }
    )


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
