"""Hashes of passwords, compared with those of glibc's crypt(3)."""

import pytest

from components.sha512_crypt import sha512_crypt


@pytest.mark.parametrize(
    ("password", "rounds", "salt", "found"),
    [
        (
            "a-long-password",
            1000,
            "abc/XYZ.123",
            "G5rO66ovdprEB.6pp9FowiY3y.3UXUmi6Zdjw.9Y7kUPdIRlZRrlPkva16Q3x1KvNxbJKlONly3NNFg.bLx.F0",
        ),
        (
            "p" * 70,
            1001,
            "saltsaltsaltsalt",
            "7DZ3KX6N0Ueu9E9h/.CH0tff9w44Qo6tqSmr2jWjCWs09SoH0z3ln1rcaR2cL1jjuLjFx.KULEVi98NceC5ub1",
        ),
    ],
)
def test_a_hash_is_that_of_crypt(password: str, rounds: int, salt: str, found: str) -> None:
    assert sha512_crypt(password, salt, rounds) == f"$6$rounds={rounds}${salt}${found}"


@pytest.mark.parametrize(("salt", "rounds"), [("", 1000), ("a" * 17, 1000), ("a$b", 1000), ("abc", 999)])
def test_a_salt_or_rounds_that_crypt_would_change_are_refused(salt: str, rounds: int) -> None:
    with pytest.raises(ValueError, match="use"):
        sha512_crypt("password", salt, rounds)
