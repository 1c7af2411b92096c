"""When a backup is due, what is recorded about backups, and the settings."""

import threading
from pathlib import Path

import pytest

from backup import record, schedule, settings
from backup.record import Record
from file_transfer.environment import SettingsError

DAY = 86_400
KEEP = (
    'BACKUP_KEEP is "{}": set it to numbers such as daily=7,weekly=5,monthly=12 '
    "(possible: last, daily, weekly, monthly)"
)
NOWHERE = 'BACKUP_PASSWORD_FILE is "/nowhere": No such file or directory; name a file with the repository\'s password'


@pytest.mark.parametrize(
    ("found", "seconds"),
    [
        (Record(), DAY - 1_000_000),
        (Record(last_success=1_000_000 - DAY), 0),
        (Record(last_success=1_000_000 - DAY - 500), -500),
        (Record(last_success=1_000_000 - 100), DAY - 100),
        (Record(last_success=1_000_000 - 2 * DAY, last_failure=1_000_000 - 100), 200),
        (Record(last_success=1_000_000 - 2 * DAY, last_failure=1_000_000 - 300), 0),
        (Record(last_failure=1_000_000), 300),
        (Record(last_success=1_000_000 - 100, last_failure=1_000_000 - 200), DAY - 100),
        (Record(last_success=1_000_000 - 100, last_failure=1_000_000 - 50), DAY - 100),
        (Record(last_success=1_000_000 + 5 * DAY), 0),
        (Record(last_success=1_000_000 - 2 * DAY, last_failure=1_000_000 + 5 * DAY), -DAY),
    ],
    ids=[
        "there is none",
        "it is old enough",
        "it is too old",
        "it is new",
        "the next one failed just now",
        "the next one failed a while ago",
        "the first one failed just now",
        "one failed before it",
        "a manual one failed after it",
        "it is from a clock that was wrong",
        "a failure is from a clock that was wrong",
    ],
)
def test_a_backup_is_due_when_the_last_one_is_old_enough(found: Record, seconds: float) -> None:
    assert schedule.seconds_left(found, DAY, 1_000_000) == seconds


def test_what_is_recorded_can_be_read(tmp_path: Path) -> None:
    assert record.read(tmp_path) == Record()
    written = Record(last_success=1.5, last_failure=2.5, failures=1, files=2, damaged=4)

    record.write(tmp_path, written)

    assert record.read(tmp_path) == written


def test_the_lock_is_held_by_one_at_a_time(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    order = []

    def other() -> None:
        with record.locked(tmp_path):
            order.append("other")

    with record.locked(tmp_path):
        thread = threading.Thread(target=other)
        thread.start()
        errors = ""
        while "waiting for another backup" not in errors:
            errors += capfd.readouterr().err
        order.append("first")
    thread.join(30)

    assert order == ["first", "other"]


@pytest.fixture
def given(tmp_path: Path) -> dict[str, str]:
    for name in ("password", "key"):
        (tmp_path / name).write_text(f"the {name}\n")
    return {
        "BACKUP_REPOSITORY": "/backup",
        "BACKUP_PASSWORD_FILE": str(tmp_path / "password"),
        "BACKUP_CLUSTER": "prod",
    }


def test_only_three_settings_are_needed(given: dict[str, str]) -> None:
    found = settings.load(given)

    assert (found.repository.location, found.repository.cluster, found.databases) == ("/backup", "prod", ())
    assert (found.every_seconds, found.port) == (DAY, 8082)
    assert found.keep == (("last", 3), ("daily", 7), ("weekly", 5), ("monthly", 12))


def test_databases_and_keys_are_read(given: dict[str, str], tmp_path: Path) -> None:
    key = str(tmp_path / "key")
    found = settings.load(
        given
        | {
            "BACKUP_DATABASES": "vms=influxdb-vms:8086,containers=influxdb-containers:8087",
            "BACKUP_READER_PASSWORD_FILE": key,
            "BACKUP_WRITER_PASSWORD_FILE": given["BACKUP_PASSWORD_FILE"],
            "BACKUP_ACCESS_KEY_FILE": key,
            "BACKUP_SECRET_KEY_FILE": key,
            "BACKUP_REGION": "eu",
        }
    )

    assert [(one.name, one.host, one.port) for one in found.databases] == [
        ("vms", "influxdb-vms", 8086),
        ("containers", "influxdb-containers", 8087),
    ]
    assert (found.databases[0].reader_password, found.databases[0].writer_password) == ("the key", "the password")
    assert (found.repository.access_key, found.repository.region) == ("the key", "eu")
    assert "the key" not in repr(found)


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("REPOSITORY", "", "BACKUP_REPOSITORY is missing: set it to a path, or s3:https://HOST/BUCKET/PREFIX"),
        ("CLUSTER", "", "BACKUP_CLUSTER is missing: set it to the name of this cluster, such as prod"),
        ("CLUSTER", "a,b", 'BACKUP_CLUSTER is "a,b": use letters, digits, dots, hyphens and underscores'),
        ("PASSWORD_FILE", "", "BACKUP_PASSWORD_FILE is missing: set it to a file with the repository's password"),
        (
            "PASSWORD_FILE",
            "/nowhere",
            NOWHERE,
        ),
        (
            "PASSWORD_FILE",
            "/dev/null",
            'BACKUP_PASSWORD_FILE is "/dev/null", which is empty: name a file with the repository\'s password',
        ),
        ("EVERY_SECONDS", "0", 'BACKUP_EVERY_SECONDS is "0": set it to a whole number, 1 or more'),
        ("EVERY_SECONDS", "1d", 'BACKUP_EVERY_SECONDS is "1d": set it to a whole number, 1 or more'),
        ("PORT", "65536", 'BACKUP_PORT is "65536": set it to a whole number, 1 to 65535'),
        ("SECRET_KEY_FILE", "PASSWORD", "BACKUP_ACCESS_KEY_FILE is missing: set both key files or none"),
        ("ACCESS_KEY_FILE", "PASSWORD", "BACKUP_SECRET_KEY_FILE is missing: set both key files or none"),
        (
            "DATABASES",
            "vms",
            'BACKUP_DATABASES has "vms": list databases such as vms=influxdb-vms:8086, separated by commas',
        ),
        (
            "DATABASES",
            "vms=influxdb-vms:8086",
            "BACKUP_READER_PASSWORD_FILE is missing: set it to a file with the password of InfluxDB's user reader",
        ),
        *(
            (
                "KEEP",
                value,
                KEEP.format(value),
            )
            for value in ("", "daily", "hourly=1", "daily=0", "daily=x", "dayly=1", "daily=7,")
        ),
    ],
)
def test_an_invalid_setting_is_reported_with_the_remedy(
    given: dict[str, str], name: str, value: str, error: str
) -> None:
    value = given["BACKUP_PASSWORD_FILE"] if value == "PASSWORD" else value

    with pytest.raises(SettingsError) as refused:
        settings.load(given | {f"BACKUP_{name}": value})

    assert str(refused.value) == error
