"""Convert single values between their form in an API and their form in an input."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar


class Codec:
    """Converts a value between input and API. Here both forms are the same; subclasses override this."""

    def to_api(self, value: Any) -> Any:  # noqa: ANN401 - any property's value
        """Return the API's form of an input."""
        return value

    def from_api(self, value: Any) -> Any:  # noqa: ANN401 - as above
        """Return the input for the API's form."""
        return value


class Duration(Codec):
    """Nanoseconds in the API, text such as "1m30s" in an input."""

    _UNITS: ClassVar = {
        "h": 3_600_000_000_000,
        "m": 60_000_000_000,
        "s": 1_000_000_000,
        "ms": 1_000_000,
        "µs": 1_000,
        "us": 1_000,
        "ns": 1,
    }

    def to_api(self, value: str) -> int:
        """Return the nanoseconds."""
        parts = re.findall(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|h|m|s)", value)
        if not parts or "".join(number + unit for number, unit in parts) != value:
            raise ValueError(f'time: invalid duration "{value}"')
        return round(sum(float(number) * self._UNITS[unit] for number, unit in parts))

    def from_api(self, value: int) -> str:
        """Return the duration in Go's form without trailing zero units: "1m", not "1m0s"."""
        if 0 < value < self._UNITS["s"]:
            unit = next(unit for unit in ("ms", "µs", "ns") if value >= self._UNITS[unit])
            return f"{value / self._UNITS[unit]:.6f}".rstrip("0").rstrip(".") + unit
        seconds, rest = divmod(value, self._UNITS["s"])
        hours, minutes, seconds = seconds // 3600, seconds % 3600 // 60, seconds % 60
        fraction = f".{rest:09d}".rstrip("0") if rest else ""
        text = f"{hours}h" * bool(hours) + f"{minutes}m" * bool(minutes or (hours and (seconds or rest)))
        return text + f"{seconds}{fraction}s" * bool(seconds or rest or not text)


class Environment(Codec):
    """A list of KEY=VALUE texts in the API, a map in an input."""

    def to_api(self, value: Mapping[str, str]) -> list[str]:
        """Return the list, sorted so that the map's order makes no difference."""
        return sorted(f"{key}={item}" for key, item in value.items())

    def from_api(self, value: Sequence[str]) -> dict[str, str]:
        """Return the map."""
        return dict(item.split("=", 1) for item in value)


class Ratio(Codec):
    """A number in the API, a text with one decimal in an input."""

    def to_api(self, value: str) -> float:
        """Return the number."""
        return float(value)

    def from_api(self, value: float) -> str:
        """Return the text."""
        return f"{value:.1f}"


class FileMode(Codec):
    """Permission bits. Other bits are dropped when the value is read back."""

    def from_api(self, value: int) -> int:
        """Return only the permission bits."""
        return value & 0o777
