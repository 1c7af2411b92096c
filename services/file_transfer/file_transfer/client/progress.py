"""How far a transfer is, in one line of a terminal."""

import shutil
import sys
import time
from collections.abc import Callable
from typing import Self, TextIO

_SECONDS_BETWEEN = 0.1
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


class Progress:
    """A line that is drawn over and over, and gone at the end; nothing at all without a stream."""

    def __init__(self, label: str, stream: TextIO | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._label = label
        self._stream = stream
        self._clock = clock
        self._began: tuple[float, int] | None = None
        self._drawn = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._stream and self._began:
            self._stream.write("\r\033[K")
            self._stream.flush()

    def at(self, position: int, total: int | None) -> None:
        """So many bytes are over, of so many, None if nobody knows."""
        if not self._stream:
            return
        now = self._clock()
        if self._began is None:
            self._began = now, position  # what was over before does not count as speed
        elif now - self._drawn < _SECONDS_BETWEEN:
            return
        self._drawn = now
        started, first = self._began
        line = f"{self._label}  {described(position, total, position - first, now - started)}"
        self._stream.write(f"\r{line[: shutil.get_terminal_size().columns - 1]}\033[K")
        self._stream.flush()


def on_terminal(label: str, *, quiet: bool) -> Progress:
    """Progress on standard error if that is a terminal."""
    return Progress(label, sys.stderr if sys.stderr.isatty() and not quiet else None)


def described(position: int, total: int | None, moved: int, seconds: float) -> str:
    """Bytes, percent, speed and time left, after `moved` bytes in so many seconds."""
    speed = moved / seconds if seconds > 0 else 0
    words = [amount(position)]
    if total is not None:
        words = [f"{amount(position)} of {amount(total)}", f"{100 * position // max(total, 1)}%"]
    words.append(f"{amount(speed)}/s")
    if total is not None and speed > 0:
        minutes, rest = divmod(round((total - position) / speed), 60)
        words.append(f"{minutes // 60}:{minutes % 60:02}:{rest:02} left")
    return "  ".join(words)


def amount(size: float) -> str:
    """Bytes in the unit that leaves at most four digits."""
    for unit in _UNITS:
        if size < 1024 or unit == _UNITS[-1]:
            break
        size /= 1024
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
