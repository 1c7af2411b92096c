"""A progress line on the terminal."""

import shutil
import sys
import time
from collections.abc import Callable
from typing import Self, TextIO

_SECONDS_BETWEEN_UPDATES = 0.1
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


class Progress:
    """A line that is redrawn while a transfer runs and erased at its end. Without a stream nothing is drawn."""

    def __init__(self, label: str, stream: TextIO | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._label = label
        self._stream = stream
        self._clock = clock
        self._start: tuple[float, int] | None = None
        self._drawn = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._stream and self._start:
            self._stream.write("\r\033[K")
            self._stream.flush()

    def show(self, position: int, total: int | None) -> None:
        """Draw the bytes transferred so far, and the total if it is known."""
        if not self._stream:
            return
        now = self._clock()
        if self._start is None:
            self._start = now, position  # bytes from an earlier run must not count towards the speed
        elif now - self._drawn < _SECONDS_BETWEEN_UPDATES:
            return
        self._drawn = now
        start_time, start_position = self._start
        line = f"{self._label}  {describe(position, total, position - start_position, now - start_time)}"
        self._stream.write(f"\r{line[: shutil.get_terminal_size().columns - 1]}\033[K")
        self._stream.flush()


def on_terminal(label: str, *, quiet: bool) -> Progress:
    """Return a progress line on standard error, which draws nothing unless that is a terminal."""
    return Progress(label, sys.stderr if sys.stderr.isatty() and not quiet else None)


def describe(position: int, total: int | None, transferred: int, seconds: float) -> str:
    """Describe a transfer: its size, percentage, speed and time left.

    The speed is computed from the bytes `transferred` in `seconds`.
    """
    speed = transferred / seconds if seconds > 0 else 0
    words = [human_size(position)]
    if total is not None:
        words = [f"{human_size(position)} of {human_size(total)}", f"{100 * position // max(total, 1)}%"]
    words.append(f"{human_size(speed)}/s")
    if total is not None and speed > 0:
        minutes, seconds_left = divmod(round((total - position) / speed), 60)
        words.append(f"{minutes // 60}:{minutes % 60:02}:{seconds_left:02} left")
    return "  ".join(words)


def human_size(size: float) -> str:
    """Format a number of bytes with the unit that leaves at most four digits before the decimal point."""
    for unit in _UNITS:
        if size < 1024 or unit == _UNITS[-1]:
            break
        size /= 1024
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
