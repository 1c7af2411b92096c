"""The passwords and secret keys of services."""

import re
from typing import Annotated

from pydantic import AfterValidator, SecretStr

_MIN_LENGTH = 12


def _strong_and_printable(password: SecretStr) -> SecretStr:
    if len(password) < _MIN_LENGTH:
        raise ValueError(f"has {len(password)} characters, fewer than {_MIN_LENGTH}: choose a longer password")
    if not re.fullmatch(r"[!-&(-\[\]-~]+", password.get_secret_value()):
        raise ValueError(
            "contains a space, a single quote ('), a backslash, or a character that is not printable ASCII: "
            "choose another password"
        )
    return password


Password = Annotated[SecretStr, AfterValidator(_strong_and_printable)]
"""A text that fits into a shell's single quotes and into every service's configuration."""
