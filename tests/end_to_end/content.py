"""Large contents of which every block is different, sent and read without keeping them in memory."""

import hashlib
import itertools
from collections.abc import Iterator

import requests
from cluster import Cluster

MIB = 2**20


def blocks(size: int) -> Iterator[bytes]:
    """Yield `size` bytes in blocks of 1 MiB, all different."""
    for number in itertools.count():
        if size <= 0:
            return
        block = hashlib.sha256(str(number).encode()).digest() * (MIB // 32)
        yield block[:size]
        size -= MIB


def put(cluster: Cluster, name: str, content: Iterator[bytes], *, through: str) -> requests.Response:
    return requests.put(f"{cluster.url(through)}/files/{name}", data=content, timeout=600)


def digest_of(cluster: Cluster, name: str, *, back: str) -> str:
    digest = hashlib.sha256()
    with requests.get(f"{cluster.url(back)}/files/{name}", stream=True, timeout=600) as answer:
        answer.raise_for_status()
        for data in answer.iter_content(MIB):
            digest.update(data)
    return digest.hexdigest()
