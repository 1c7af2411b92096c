from pathlib import Path

import pytest

from file_transfer import settings


def test_everything_has_a_default() -> None:
    assert settings.load({}) == settings.Settings(
        data=Path("data"),
        port=8080,
        workers=2,
        threads=64,
        max_file_bytes=64 * 2**30,
        grace_seconds=25,
        drain_seconds=3,
    )


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("PORT", "0", "a whole number, 1 to 65535"),
        ("PORT", "65536", "a whole number, 1 to 65535"),
        ("PORT", "http", "a whole number, 1 to 65535"),
        ("WORKERS", "0", "a whole number, 1 or more"),
        ("THREADS", "4", "a whole number, 5 or more"),
        ("MAX_FILE_BYTES", "-1", "a whole number, 1 or more"),
        ("MAX_FILE_BYTES", "1e9", "a whole number, 1 or more"),
        ("GRACE_SECONDS", "", "a whole number, 1 or more"),
        ("DRAIN_SECONDS", "-1", "a whole number, 0 or more"),
        ("DRAIN_SECONDS", "25", "less than FILE_TRANSFER_GRACE_SECONDS, 25"),
    ],
)
def test_a_bad_value_is_named_with_what_can_be(name: str, value: str, remedy: str) -> None:
    with pytest.raises(settings.SettingsError) as refused:
        settings.load({f"FILE_TRANSFER_{name}": value})

    assert str(refused.value) == f"FILE_TRANSFER_{name} is «{value}»: set it to {remedy}"
