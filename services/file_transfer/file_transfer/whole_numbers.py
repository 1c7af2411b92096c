"""Whole numbers in requests. `int` alone accepts forms such as `+1` and `1_0`, and fails on thousands of digits."""

_MAX_DIGITS = 19


def parse(text: str) -> int | None:
    """Return the number, or None if the text is not one or has more digits than any size, offset or count here."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS else None
