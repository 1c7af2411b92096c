"""Formatting of values for people: 0.123 as 12.3 %, 1536 bytes as 1.5 KiB."""

from .metrics import Unit

_PREFIXES = ("", "Ki", "Mi", "Gi", "Ti")


def human(value: float, unit: Unit) -> str:
    """Format a stored value with its unit, short enough for a table cell or an axis."""
    match unit:
        case "percent":
            return f"{value * 100:.1f} %"
        case "bytes":
            return f"{_binary(value)}B"
        case "bytes per second":
            return f"{_binary(value)}B/s"
        case "CPUs":
            return f"{_short(value, 3)} CPU"
        case "per second":
            return f"{_short(value, 2)}/s"
        case "seconds":
            return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"
        case "ratio":
            return f"{value:.2f}"
        case "count":
            return f"{value:.0f}"


def _binary(value: float) -> str:
    """Format a number with a binary prefix and at most four digits before the decimal point."""
    step = 0
    # A value that would be rounded to 1024 gets the next prefix instead.
    while abs(value) >= 1023.5 and step < len(_PREFIXES) - 1:
        value, step = value / 1024, step + 1
    return f"{value:.{1 if step and abs(value) < 100 else 0}f} {_PREFIXES[step]}"


def _short(value: float, digits: int) -> str:
    return f"{value:.{digits if abs(value) < 1 else 1}f}"
