from pathlib import Path

import pytest

from file_transfer import settings
from file_transfer.browsers import Browsers
from file_transfer.pace import Pace


def test_everything_has_a_default() -> None:
    assert settings.load({}) == settings.Settings(
        data=Path("data"),
        postgres=None,
        seaweedfs=None,
        s3=None,
        port=8080,
        status_port=8081,
        workers=2,
        threads=64,
        max_file_bytes=64 * 2**30,
        quota_bytes=0,
        min_free_bytes=0,
        pace=Pace(min_bytes=32 * 1024, seconds=30),
        tokens=None,
        browsers=Browsers(),
        grace_seconds=600,
        drain_seconds=3,
    )


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("PORT", "0", "a whole number, 1 to 65535"),
        ("PORT", "65536", "a whole number, 1 to 65535"),
        ("PORT", "http", "a whole number, 1 to 65535"),
        ("STATUS_PORT", "0", "a whole number, 1 to 65535"),
        ("PACE_BYTES", "-1", "a whole number, 0 or more"),
        ("PACE_SECONDS", "0", "a whole number, 1 or more"),
        ("WORKERS", "0", "a whole number, 1 or more"),
        ("THREADS", "4", "a whole number, 5 or more"),
        ("MAX_FILE_BYTES", "-1", "a whole number, 1 or more"),
        ("MAX_FILE_BYTES", "1e9", "a whole number, 1 or more"),
        ("QUOTA_BYTES", "-1", "a whole number, 0 or more"),
        ("MIN_FREE_BYTES", "1G", "a whole number, 0 or more"),
        ("STORAGE", "disk", "directory, cluster or s3"),
        ("GRACE_SECONDS", "", "a whole number, 1 or more"),
        ("DRAIN_SECONDS", "-1", "a whole number, 0 or more"),
        ("DRAIN_SECONDS", "600", "less than FILE_TRANSFER_GRACE_SECONDS, 600"),
    ],
)
def test_an_invalid_value_is_reported_with_the_valid_ones(name: str, value: str, remedy: str) -> None:
    with pytest.raises(settings.SettingsError) as refused:
        settings.load({f"FILE_TRANSFER_{name}": value})

    assert str(refused.value) == f'FILE_TRANSFER_{name} is "{value}": set it to {remedy}'


def variables(given: dict[str, str]) -> dict[str, str]:
    return {name if name == "NODE_ID" else f"FILE_TRANSFER_{name}": value for name, value in given.items()}


def index_settings(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "password").write_text("the password\n")
    (tmp_path / "index-authority").write_text("the certificate\n")
    return {
        "POSTGRES_HOSTS": "postgres-one:5432, postgres-two:5433",
        "POSTGRES_PASSWORD_FILE": str(tmp_path / "password"),
        "POSTGRES_AUTHORITY_FILE": str(tmp_path / "index-authority"),
        "POSTGRES_CONNECTIONS": "7",
        "POSTGRES_STANDBYS": "0",
        "POSTGRES_PATIENCE": "3",
    }


def credentials(tmp_path: Path) -> dict[str, str]:
    found = {}
    for name in ("write_key", "read_key", "identity", "authority"):
        (tmp_path / name).write_text(f"the {name}\n")
        found[f"SEAWEEDFS_{name.upper()}_FILE"] = str(tmp_path / name)
    return found


def cluster_settings(tmp_path: Path, **changed: str) -> dict[str, str]:
    return variables(
        {
            **index_settings(tmp_path),
            "STORAGE": "cluster",
            "SEAWEEDFS_MASTERS": "master-one:9333,master-two:9333",
            "SEAWEEDFS_VOLUME_SERVERS": "volume-servers:8080",
            **credentials(tmp_path),
            "COPIES": "3",
            "NODE_ID": "the node",
            **changed,
        }
    )


def test_a_cluster_has_an_index_and_volume_servers(tmp_path: Path) -> None:
    configured = settings.load(cluster_settings(tmp_path))

    assert configured.postgres == settings.PostgresSettings(
        hosts=(("postgres-one", 5432), ("postgres-two", 5433)),
        password="the password",
        authority=tmp_path / "index-authority",
        connections=7,
        standbys=0,
        patience=3,
    )
    assert configured.seaweedfs == settings.SeaweedFsSettings(
        masters=("master-one:9333", "master-two:9333"),
        volume_servers=("volume-servers:8080",),
        copies=3,
        node="the node",
        write_key="the write_key",
        read_key="the read_key",
        identity=tmp_path / "identity",
        authority=tmp_path / "authority",
    )
    assert configured.s3 is None
    for secret in ("the password", "the write_key", "the read_key"):
        assert secret not in repr(configured)


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("POSTGRES_HOSTS", "", "FILE_TRANSFER_POSTGRES_HOSTS is missing: FILE_TRANSFER_STORAGE=cluster needs it"),
        ("POSTGRES_HOSTS", "one:5432,two", '"two": list addresses such as host-1:5432,host-2:5432'),
        ("POSTGRES_HOSTS", "one:5432,:5432", '":5432": list addresses such as host-1:5432,host-2:5432'),
        ("POSTGRES_PASSWORD_FILE", "/nowhere", '"/nowhere": No such file or directory; name a file with the password'),
        ("POSTGRES_CONNECTIONS", "0", "a whole number, 1 or more"),
        ("POSTGRES_STANDBYS", "-1", "a whole number, 0 or more"),
        ("POSTGRES_PATIENCE", "0", "a whole number, 1 or more"),
        ("SEAWEEDFS_MASTERS", "", "FILE_TRANSFER_SEAWEEDFS_MASTERS is missing: FILE_TRANSFER_STORAGE=cluster needs"),
        ("SEAWEEDFS_MASTERS", "master", '"master": list addresses such as host-1:9333,host-2:9333'),
        ("SEAWEEDFS_WRITE_KEY_FILE", "", "FILE_TRANSFER_SEAWEEDFS_WRITE_KEY_FILE is missing"),
        ("SEAWEEDFS_READ_KEY_FILE", "/nowhere", '"/nowhere": No such file or directory; name a file with the key'),
        ("SEAWEEDFS_IDENTITY_FILE", "/nowhere", "name a file with the certificate and its private key"),
        ("POSTGRES_AUTHORITY_FILE", "/nowhere", "name a file with the authority's certificate"),
        ("SEAWEEDFS_AUTHORITY_FILE", "/nowhere", "name a file with the authority's certificate"),
        ("COPIES", "11", "a whole number, 1 to 10"),
    ],
)
def test_an_invalid_cluster_is_reported(tmp_path: Path, name: str, value: str, error: str) -> None:
    with pytest.raises(settings.SettingsError, match=error):
        settings.load(cluster_settings(tmp_path, **{name: value}))


def s3_settings(tmp_path: Path, **changed: str) -> dict[str, str]:
    for name in ("access", "secret"):
        (tmp_path / name).write_text(f"the {name} key\n")
    given = {
        **index_settings(tmp_path),
        "STORAGE": "s3",
        "S3_ENDPOINT": "http://object-store:8333",
        "S3_BUCKET": "files",
        "S3_ACCESS_KEY_FILE": str(tmp_path / "access"),
        "S3_SECRET_KEY_FILE": str(tmp_path / "secret"),
        **changed,
    }
    return variables(given)


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
    (tmp_path / "tokens").write_text('{"ci": {"sha256": "too short", "scopes": ["read"]}}')

    with pytest.raises(settings.SettingsError, match="'ci' has no token") as refused:
        settings.load({"FILE_TRANSFER_TOKENS_FILE": str(tmp_path / "tokens")})
    assert "too short" not in str(refused.value)


def test_the_names_and_origins_are_lists() -> None:
    lists = {"ALLOWED_HOSTS": "files.example.org, *.lab.example.org", "ALLOWED_ORIGINS": "https://app.example.org:8443"}

    assert settings.load(variables(lists)).browsers == Browsers(
        hosts=frozenset({"files.example.org", "*.lab.example.org"}), origins=frozenset({"https://app.example.org:8443"})
    )


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        (
            "ALLOWED_HOSTS",
            "a.example,B.example",
            '"B.example": give a comma-separated list, in lower case, of names such as',
        ),
        ("ALLOWED_HOSTS", "a.example:5001", "names such as files.example.org"),
        ("ALLOWED_HOSTS", "*", "names such as files.example.org"),
        ("ALLOWED_ORIGINS", "*", "origins such as https://app.example.org"),
        ("ALLOWED_ORIGINS", "null", "origins such as https://app.example.org"),
        ("ALLOWED_ORIGINS", "https://app.example.org/", "origins such as https://app.example.org"),
    ],
)
def test_an_invalid_name_or_origin_is_reported(name: str, value: str, error: str) -> None:
    with pytest.raises(settings.SettingsError) as refused:
        settings.load(variables({name: value}))

    assert f"FILE_TRANSFER_{name} has " in str(refused.value)
    assert error in str(refused.value)
