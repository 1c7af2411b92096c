"""`make token`: a setting that is valid as it is, with a token that nobody can guess."""

import json
from typing import Any

import pytest

import settings
from tools.new_token import snippet


def test_what_is_made_is_a_valid_setting(values: dict[str, Any]) -> None:
    made = json.loads(snippet("ci", ["read", "write"]))

    parsed = settings.parse({**values, "tokens": made}).tokens

    assert parsed
    assert parsed["ci"].scopes == ("read", "write")
    assert len(parsed["ci"].token) >= 43  # 32 bytes


def test_no_two_tokens_are_the_same() -> None:
    assert len({snippet("ci", ["read"]) for _ in range(100)}) == 100


@pytest.mark.parametrize("name", ["", "a b", "--x", 'a"b', "a" * 65])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="NAME=ci"):
        snippet(name, ["read"])
