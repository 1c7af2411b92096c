"""Files of tokens, as replicas get them."""

import hashlib
import json
from collections.abc import Mapping, Sequence


def sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def tokens_file(tokens: Mapping[str, tuple[str, Sequence[str]]]) -> str:
    """Return the text of a file with these tokens and their scopes, by name."""
    listed = {name: {"sha256": sha256(token), "scopes": list(scopes)} for name, (token, scopes) in tokens.items()}
    return json.dumps(listed)


def tokens_with_limits(tokens: Mapping[str, tuple[str, Mapping[str, object]]]) -> str:
    """Return the text of a file with these tokens and their other entries, by name."""
    return json.dumps({name: {"sha256": sha256(token), **entries} for name, (token, entries) in tokens.items()})
