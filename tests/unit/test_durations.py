"""Durations have the form in which the Docker provider reads them back."""

import pytest

from components.durations import go_duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"), (1, "1s"), (59, "59s"), (60, "1m"), (61, "1m1s"), (120, "2m"), (300, "5m"), (610, "10m10s"),
        (3600, "1h"), (3605, "1h0m5s"), (3660, "1h1m"), (7325, "2h2m5s"), (86400, "24h"),
    ],
)  # fmt: skip
def test_seconds_are_written_as_gos_shortest_duration(seconds: int, text: str) -> None:
    assert go_duration(seconds) == text
