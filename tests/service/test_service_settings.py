from pathlib import Path

import pytest

from file_transfer import settings


def test_everything_has_a_default() -> None:
    assert settings.load({}) == settings.Settings(
        data=Path("data"),
        s3=None,
        port=8080,
        workers=2,
        threads=64,
        max_file_bytes=64 * 2**30,
        quota_bytes=0,
        min_free_bytes=0,
        tokens=None,
        grace_seconds=600,
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
        ("QUOTA_BYTES", "-1", "a whole number, 0 or more"),
        ("MIN_FREE_BYTES", "1G", "a whole number, 0 or more"),
        ("STORAGE", "disk", "directory or s3"),
        ("GRACE_SECONDS", "", "a whole number, 1 or more"),
        ("DRAIN_SECONDS", "-1", "a whole number, 0 or more"),
        ("DRAIN_SECONDS", "600", "less than FILE_TRANSFER_GRACE_SECONDS, 600"),
    ],
)
def test_an_invalid_value_is_reported_with_the_valid_ones(name: str, value: str, remedy: str) -> None:
    with pytest.raises(settings.SettingsError) as refused:
        settings.load({f"FILE_TRANSFER_{name}": value})

    assert str(refused.value) == f'FILE_TRANSFER_{name} is "{value}": set it to {remedy}'


def s3_settings(tmp_path: Path, **changed: str) -> dict[str, str]:
    for name in ("access", "secret"):
        (tmp_path / name).write_text(f"the {name} key\n")
    given = {
        "STORAGE": "s3",
        "S3_ENDPOINT": "http://object-store:8333",
        "S3_BUCKET": "files",
        "S3_ACCESS_KEY_FILE": str(tmp_path / "access"),
        "S3_SECRET_KEY_FILE": str(tmp_path / "secret"),
        **changed,
    }
    return {f"FILE_TRANSFER_{name}": value for name, value in given.items()}


def test_the_object_store_s_keys_are_read_and_never_shown(tmp_path: Path) -> None:
    configured = settings.load(s3_settings(tmp_path))

    assert configured.s3 == settings.S3Settings(
        endpoint="http://object-store:8333",
        bucket="files",
        region="us-east-1",
        prefix="",
        access_key="the access key",
        secret_key="the secret key",
    )
    assert "the secret key" not in repr(configured)


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("S3_BUCKET", "", "FILE_TRANSFER_S3_BUCKET is missing: FILE_TRANSFER_STORAGE=s3 needs it"),
        ("S3_ENDPOINT", "object-store:8333", "set it to a URL such as http://object-store:8333"),
        ("S3_SECRET_KEY_FILE", "/nowhere", '"/nowhere": No such file or directory; name a file with the key'),
    ],
)
def test_an_invalid_object_store_is_reported(tmp_path: Path, name: str, value: str, error: str) -> None:
    with pytest.raises(settings.SettingsError, match=error):
        settings.load(s3_settings(tmp_path, **{name: value}))


def test_invalid_tokens_are_reported(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text('{"ci": {"token": "too short", "scopes": ["read"]}}')

    with pytest.raises(settings.SettingsError, match="the token of 'ci' has fewer than 16 characters") as refused:
        settings.load({"FILE_TRANSFER_TOKENS_FILE": str(tmp_path / "tokens")})
    assert "too short" not in str(refused.value)
