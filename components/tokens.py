"""The tokens that give access to the file service, as the file that its replicas read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi


@dataclass(frozen=True, kw_only=True)
class TokenArgs:
    """A token and what it allows: `scopes` are some of read, write and delete."""

    token: pulumi.Output[str]
    scopes: Sequence[str]


def tokens_file(tokens: Mapping[str, TokenArgs]) -> pulumi.Output[str]:
    """Return the file's JSON text, which maps each name to its token and scopes. It is a secret if a token is."""
    return pulumi.Output.json_dumps(
        {name: {"token": holder.token, "scopes": list(holder.scopes)} for name, holder in tokens.items()}
    )
