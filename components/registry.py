"""Where our own images are pushed, if all hosts can pull from there."""

from dataclasses import dataclass

import pulumi


@dataclass(frozen=True, kw_only=True)
class Registry:
    """A registry from which all hosts can pull."""

    address: str
    username: str
    password: pulumi.Output[str]
