"""Who may use the file service, as the file that its replicas read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi


@dataclass(frozen=True, kw_only=True)
class TokenArgs:
    """Whoever has `token` may do what `scopes` say: read, write, delete."""

    token: pulumi.Output[str]
    scopes: Sequence[str]


def tokens_file(tokens: Mapping[str, TokenArgs]) -> pulumi.Output[str]:
    """Return the file: JSON, each token and its scopes by name. It is secret if a token is."""
    return pulumi.Output.json_dumps(
        {name: {"token": holder.token, "scopes": list(holder.scopes)} for name, holder in tokens.items()}
    )
