"""Hashing in threads: blocks of any size, and buffers that are reused."""

import hashlib
import random

import pytest

from file_transfer.hashing import ConcurrentHash
from file_transfer.resumable_sha256 import ResumableSha256

KIB = 1024


@pytest.mark.parametrize("algorithm", ["sha256", "sha1"])
def test_blocks_of_any_size_give_the_digest_of_the_whole(algorithm: str) -> None:
    chance = random.Random(1)
    parts = [chance.randbytes(chance.choice([0, 1, 100, 64 * KIB - 1, 64 * KIB, 300 * KIB])) for _ in range(60)]
    hashed = ConcurrentHash(hashlib.new(algorithm))

    for part in parts:
        hashed.update(part)

    assert hashed.digest() == hashlib.new(algorithm, b"".join(parts)).digest()


def test_a_hash_continues_from_its_state() -> None:
    """Another process may continue it after any byte, and one that saved its state may go on, too."""
    content = random.Random(1).randbytes(300)
    hashed = ResumableSha256()
    for position in range(len(content)):
        hashed.update(content[position : position + 1])
        continued = ResumableSha256(hashed.state)
        assert continued.hexdigest() == hashlib.sha256(content[: position + 1]).hexdigest()
        continued.update(memoryview(bytearray(content)))
        assert continued.digest() == hashlib.sha256(content[: position + 1] + content).digest()


def test_a_buffer_can_be_reused_after_the_next_call() -> None:
    size, expected, hashed = 256 * KIB, hashlib.sha256(), ConcurrentHash(ResumableSha256())
    buffers = [bytearray(size), bytearray(size)]

    for number in range(50):
        buffer = buffers[number % 2]
        buffer[:] = bytes([number]) * size
        expected.update(buffer)
        hashed.update(memoryview(buffer))

    assert hashed.digest() == expected.digest()
