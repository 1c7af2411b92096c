"""Passwords hashed as crypt(3) does with `$6$`: Python's own module for it is gone since 3.13.

The algorithm is Ulrich Drepper's, https://www.akkadia.org/drepper/SHA-crypt.txt, whose steps have numbers there.
"""

import hashlib

_ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SIZE = 64
_SALT_CHARACTERS = 16
_LEAST_ROUNDS = 1000


def sha512_crypt(password: str, salt: str, rounds: int) -> str:
    """Return the hash of a password, with everything that is needed to check one.

    Args:
        password: the password.
        salt: up to 16 characters of `./0-9A-Za-z`.
        rounds: how often it is hashed; at least 1000, which the algorithm prescribes.

    Raises:
        ValueError: the salt or the rounds are not allowed.
    """
    if not salt or len(salt) > _SALT_CHARACTERS or set(salt) - set(_ALPHABET):
        raise ValueError(f'the salt is "{salt}": use 1 to {_SALT_CHARACTERS} of {_ALPHABET}')
    if rounds < _LEAST_ROUNDS:
        raise ValueError(f"the rounds are {rounds}: use at least {_LEAST_ROUNDS}")
    key, salted = password.encode(), salt.encode()
    digest = _hashed(key, salted, _first(key, salted))  # steps 1 to 12
    key_sequence = _stretched(_hashed(key * len(key)), len(key))  # steps 13 to 16
    salt_sequence = _stretched(_hashed(salted * (16 + digest[0])), len(salted))  # steps 17 to 20
    for number in range(rounds):  # step 21
        parts = [
            key_sequence if number % 2 else digest,
            salt_sequence if number % 3 else b"",
            key_sequence if number % 7 else b"",
            digest if number % 2 else key_sequence,
        ]
        digest = _hashed(*parts)
    return f"$6$rounds={rounds}${salt}${_encoded(digest)}"


def _first(key: bytes, salt: bytes) -> bytes:
    """Return what follows key and salt in the first digest: steps 4 to 11."""
    alternate = _hashed(key, salt, key)
    rest, length = [_stretched(alternate, len(key))], len(key)
    while length:
        rest.append(alternate if length % 2 else key)
        length //= 2
    return b"".join(rest)


def _hashed(*parts: bytes) -> bytes:
    return hashlib.sha512(b"".join(parts)).digest()


def _stretched(digest: bytes, size: int) -> bytes:
    return (digest * (size // _SIZE + 1))[:size]


def _encoded(digest: bytes) -> str:
    """Return the digest in crypt's own order and base 64: step 22."""
    first, second, third = 0, 21, 42
    characters = []
    for _ in range(21):
        characters.append(_characters(digest[first] << 16 | digest[second] << 8 | digest[third], 4))
        first, second, third = second + 1, third + 1, first + 1
    return "".join([*characters, _characters(digest[63], 2)])


def _characters(number: int, count: int) -> str:
    return "".join(_ALPHABET[number >> 6 * position & 63] for position in range(count))
