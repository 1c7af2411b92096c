"""Show people what is being done, and how long it took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def step(text: str) -> Iterator[None]:
    """Print `text`, run the block, and print how long it took. A failure is printed and raised again."""
    print(f"== {text} …", flush=True)
    started = time.monotonic()
    try:
        yield
    except BaseException:
        print(f"== {text}: FAILED after {time.monotonic() - started:.0f} s", flush=True)
        raise
    print(f"== {text}: ok ({time.monotonic() - started:.0f} s)", flush=True)
