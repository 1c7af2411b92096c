"""A background load on the cluster: it uploads and downloads files and records what each response said."""

import hashlib
import os
import random
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import requests

KIB = 2**10
MIB = 2**20
_SIZES = ((900, 100 * KIB), (900, 100 * KIB), (5 * MIB,))
"""What each uploading thread sends: files that the index keeps itself, files of one chunk, and files of several."""

_PAUSE_SECONDS = 0.2
_LARGE_PAUSE_SECONDS = 1  # between two transfers of a thread, so that the load leaves the machine some room
_TIMEOUT = 30
_READERS = 8
_PATIENCE_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """One request. `status` is 0 if the connection broke or wrong content came back; `problem` says which."""

    upload: bool
    through: str
    began: float
    seconds: float
    status: int
    retry_after: str = ""
    problem: str = ""

    @property
    def ok(self) -> bool:
        return self.status in (200, 201)


@dataclass
class Load:
    """What was acknowledged so far, as digests by name.

    `transfers` and `through` are all transfers and the addresses of the load that runs, or that ran last.
    """

    acknowledged: dict[str, str] = field(default_factory=dict)
    transfers: list[Transfer] = field(default_factory=list)
    through: Sequence[str] = ()
    _names: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def running(self, *urls: str) -> Iterator[None]:
        """Keep uploading and downloading through these addresses during the block."""
        self.transfers, self.through = [], urls
        end = threading.Event()
        threads = [threading.Thread(target=self._upload, args=(end, sizes)) for sizes in _SIZES]
        threads += [threading.Thread(target=self._download, args=(end,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            end.set()
            for thread in threads:
                thread.join()

    def use(self, *urls: str) -> None:
        """Go on through these addresses only."""
        self.through = urls

    def succeeded_since(self, began: float, *, upload: bool) -> set[str]:
        """Return the addresses through which such a transfer succeeded that began after this time."""
        return {t.through for t in list(self.transfers) if t.ok and t.upload == upload and t.began > began}

    def lost(self, *urls: str) -> list[str]:
        """Return a line for each acknowledged file that does not come back through each address as it was sent."""
        wanted = [(url, name, digest) for url in urls for name, digest in self.acknowledged.items()]
        with ThreadPoolExecutor(_READERS) as pool:
            found = list(pool.map(lambda one: _get_repeatedly(*one), wanted))
        return [
            f"{name} through {url}: {transfer.status} {transfer.problem}"
            for (url, name, _), transfer in zip(wanted, found, strict=True)
            if not transfer.ok
        ]

    def described(self) -> str:
        """Count the transfers by what came of them, with the longest of each kind."""
        kinds: dict[tuple[bool, int, str], list[float]] = {}
        for transfer in list(self.transfers):
            kinds.setdefault((transfer.upload, transfer.status, transfer.problem[:160]), []).append(transfer.seconds)
        return "; ".join(
            f"{len(seconds)} {'up' if upload else 'down'} {status} {problem} (at most {max(seconds):.1f} s)"
            for (upload, status, problem), seconds in kinds.items()
        )

    def _upload(self, end: threading.Event, sizes: Sequence[int]) -> None:
        while not end.wait(_PAUSE_SECONDS if max(sizes) < MIB else _LARGE_PAUSE_SECONDS):
            with self._lock:
                self._names += 1
                name = f"load-{self._names}"
            content = os.urandom(random.choice(sizes))
            transfer = put(random.choice(self.through), name, content)
            if transfer.ok:
                self.acknowledged[name] = hashlib.sha256(content).hexdigest()
            self.transfers.append(transfer)

    def _download(self, end: threading.Event) -> None:
        while not end.wait(_PAUSE_SECONDS):
            if known := list(self.acknowledged.items()):
                name, digest = random.choice(known)
                self.transfers.append(get(random.choice(self.through), name, digest))


def put(url: str, name: str, content: bytes) -> Transfer:
    began = time.monotonic()
    status, retry_after, problem = 0, "", ""
    try:
        answer = requests.put(f"{url}/files/{name}", data=content, timeout=_TIMEOUT)
        status, retry_after = answer.status_code, answer.headers.get("Retry-After", "")
        problem = "" if answer.ok else answer.text.strip()
    except requests.RequestException as error:
        problem = type(error).__name__
    seconds = time.monotonic() - began
    return Transfer(
        upload=True, through=url, began=began, seconds=seconds, status=status, retry_after=retry_after, problem=problem
    )


def get(url: str, name: str, digest: str) -> Transfer:
    began = time.monotonic()
    status, problem = 0, ""
    try:
        answer = requests.get(f"{url}/files/{name}", timeout=_TIMEOUT)
        if not answer.ok:
            status, problem = answer.status_code, answer.text.strip()
        elif hashlib.sha256(answer.content).hexdigest() == digest:
            status = answer.status_code
        else:
            problem = "the content differs"
    except requests.RequestException as error:
        problem = type(error).__name__
    seconds = time.monotonic() - began
    return Transfer(upload=False, through=url, began=began, seconds=seconds, status=status, problem=problem)


def _get_repeatedly(url: str, name: str, digest: str) -> Transfer:
    """Get a file as a client does: again, as long as the response is to try again."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        transfer = get(url, name, digest)
        if transfer.status != 503 or time.monotonic() > deadline:
            return transfer
        time.sleep(1)
