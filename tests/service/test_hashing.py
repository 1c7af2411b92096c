"""Hashing in threads: blocks of any size, and buffers that are reused."""

import hashlib
import random

import pytest

from file_transfer.hashing import ConcurrentHash

KIB = 1024


@pytest.mark.parametrize("algorithm", ["sha256", "sha1"])
def test_blocks_of_any_size_give_the_digest_of_the_whole(algorithm: str) -> None:
    chance = random.Random(1)
    parts = [chance.randbytes(chance.choice([0, 1, 100, 64 * KIB - 1, 64 * KIB, 300 * KIB])) for _ in range(60)]
    hashed = ConcurrentHash(algorithm)

    for part in parts:
        hashed.update(part)

    assert hashed.digest() == hashlib.new(algorithm, b"".join(parts)).digest()
    assert hashed.hexdigest() == hashed.digest().hex()


def test_a_buffer_can_be_reused_after_the_next_call() -> None:
    size, expected, hashed = 256 * KIB, hashlib.sha256(), ConcurrentHash()
    buffers = [bytearray(size), bytearray(size)]

    for number in range(50):
        buffer = buffers[number % 2]
        buffer[:] = bytes([number]) * size
        expected.update(buffer)
        hashed.update(memoryview(buffer))

    assert hashed.hexdigest() == expected.hexdigest()
