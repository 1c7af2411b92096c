"""Progress for people: what is being done, and how long it took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def step(text: str) -> Iterator[None]:
    """Announce `text`, run the block, say how long it took; a failure is announced and raised again."""
    print(f"== {text} …", flush=True)
    started = time.monotonic()
    try:
        yield
    except BaseException:
        print(f"== {text}: FAILED after {time.monotonic() - started:.0f} s", flush=True)
        raise
    print(f"== {text}: ok ({time.monotonic() - started:.0f} s)", flush=True)
