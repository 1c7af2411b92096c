"""Formatting of values."""

import pytest

from monitoring.units import human


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.123, "percent", "12.3 %"),
        (0, "bytes", "0 B"),
        (1023, "bytes", "1023 B"),
        (1023.9, "bytes", "1.0 KiB"),
        (1536, "bytes", "1.5 KiB"),
        (300 * 2**20, "bytes per second", "300 MiB/s"),
        (0.0123, "CPUs", "0.012 CPU"),
        (0.25, "seconds", "250 ms"),
        (12.34, "seconds", "12.3 s"),
        (0.5, "per second", "0.50/s"),
        (1.234, "ratio", "1.23"),
        (12.0, "count", "12"),
    ],
)
def test_values_are_formatted_with_their_unit(value, unit, text):
    assert human(value, unit) == text
