"""Digests in threads of their own: of what came, however it came, and however soon its buffer is used again."""

import hashlib
import random

import pytest

from file_transfer.hashing import ConcurrentHash

KIB = 1024


@pytest.mark.parametrize("algorithm", ["sha256", "sha1"])
def test_it_is_the_digest_of_all_that_came_in_small_and_large_parts(algorithm: str) -> None:
    chance = random.Random(1)
    parts = [chance.randbytes(chance.choice([0, 1, 100, 64 * KIB - 1, 64 * KIB, 300 * KIB])) for _ in range(60)]
    hashed = ConcurrentHash(algorithm)

    for part in parts:
        hashed.update(part)

    assert hashed.digest() == hashlib.new(algorithm, b"".join(parts)).digest()
    assert hashed.hexdigest() == hashed.digest().hex()


def test_a_buffer_may_be_used_again_after_the_next_call() -> None:
    size, expected, hashed = 256 * KIB, hashlib.sha256(), ConcurrentHash()
    buffers = [bytearray(size), bytearray(size)]

    for number in range(50):
        buffer = buffers[number % 2]
        buffer[:] = bytes([number]) * size
        expected.update(buffer)
        hashed.update(memoryview(buffer))

    assert hashed.hexdigest() == expected.hexdigest()
