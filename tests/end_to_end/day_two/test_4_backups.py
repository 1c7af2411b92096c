"""Backups on the deployed cluster: made, listed, encrypted, and one file restored; a wrong target is refused."""

import hashlib
import os
import secrets
import time
from collections.abc import Iterator

import pytest
import requests
from backups import run
from cluster import Cluster

from components import users

DIRECTORY = "/srv/backup"
HOST = "slave"
KIB = 2**10
MARKER = secrets.token_hex(16)
CONTENTS = {
    # Random, so that restic's compression would leave the marker as it is.
    "backed up 900": MARKER.encode() + os.urandom(900 - len(MARKER)),
    "backed up 100 KiB": os.urandom(100 * KIB),
    "backed up 9 MiB, in three chunks": os.urandom(9 * KIB * KIB),
}


@pytest.fixture(scope="module")
def backed_up(cluster: Cluster) -> Iterator[Cluster]:
    """The cluster with a service that makes backups, of which one has all of CONTENTS. Then without it again."""
    cluster.set_secret("backup_password", "backup-Horse-battery")
    with cluster.configured(backup={"directory": DIRECTORY, "host": HOST, "every": "1d"}):
        cluster.up()
        for name, content in CONTENTS.items():
            cluster.upload(name, content, through="master")
        made = cluster.operation("backups", "now")
        assert made.returncode == 0, made.stderr
        yield cluster
    cluster.up()
    for name in CONTENTS:
        requests.delete(f"{cluster.url('master')}/files/{name}", timeout=60)
    cluster.on(HOST, f"sudo rm -rf {DIRECTORY}")


def refused(cluster: Cluster, *arguments: str) -> str:
    done = cluster.operation("backups", *arguments)
    assert done.returncode == 1, done.stdout
    return done.stderr


def delete(cluster: Cluster, name: str) -> None:
    assert requests.delete(f"{cluster.url('master')}/files/{name}", timeout=60).ok


def test_a_backup_has_the_files_the_metrics_and_the_state(backed_up: Cluster) -> None:
    last = run(backed_up, "list").splitlines()[-1]

    assert "DAMAGED" not in last
    assert last.endswith("metrics of containers and vms, state")
    assert '"deployment"' in run(backed_up, "state")


def test_nobody_can_read_a_backup_without_its_password(backed_up: Cluster) -> None:
    owner = backed_up.on(HOST, f"sudo stat -c '%u %a' {DIRECTORY}").split()
    files = int(backed_up.on(HOST, f"sudo find {DIRECTORY} -type f | wc -l"))
    with_content = backed_up.on(HOST, f"sudo grep -rla {MARKER} {DIRECTORY} || true")
    with_names = backed_up.on(HOST, f"sudo grep -rla 'backed up' {DIRECTORY} || true")

    assert owner == [str(users.BACKUP), "700"]
    assert files > 5
    assert (with_content, with_names) == ("", "")


@pytest.mark.parametrize("name", CONTENTS)
def test_a_file_that_was_deleted_comes_back(backed_up: Cluster, name: str) -> None:
    before = requests.get(f"{backed_up.url('master')}/files/{name}", timeout=60).headers
    delete(backed_up, name)

    run(backed_up, "restore", "--file", name)

    after = requests.get(f"{backed_up.url('slave')}/files/{name}", timeout=60)
    assert hashlib.sha256(after.content).digest() == hashlib.sha256(CONTENTS[name]).digest()
    assert after.headers["Last-Modified"] == before["Last-Modified"]


def test_a_file_that_is_there_stays_unless_it_is_to_be_replaced(backed_up: Cluster) -> None:
    backed_up.upload("backed up 900", b"newer", through="slave")

    assert "exists" in refused(backed_up, "restore", "--file", "backed up 900")
    assert backed_up.download("backed up 900", back="master") == b"newer"

    run(backed_up, "restore", "--file", "backed up 900", "--replace")
    assert backed_up.download("backed up 900", back="master") == CONTENTS["backed up 900"]


def test_a_restore_over_files_and_of_what_there_is_not_is_refused(backed_up: Cluster) -> None:
    assert "--keep-existing" in refused(backed_up, "restore")
    assert "no such name" in refused(backed_up, "restore", "--file", "no such name")
    assert "2001-01-01" in refused(backed_up, "restore", "--at", "2001-01-01T00:00:00Z", "--file", "x")


def test_what_is_missing_is_restored_and_what_is_there_stays(backed_up: Cluster) -> None:
    backed_up.upload("backed up 900", b"newer", through="slave")
    delete(backed_up, "backed up 100 KiB")

    run(backed_up, "restore", "--keep-existing")

    assert backed_up.download("backed up 900", back="master") == b"newer"
    assert backed_up.download("backed up 100 KiB", back="slave") == CONTENTS["backed up 100 KiB"]


def test_prometheus_knows_when_the_last_backup_was_made(backed_up: Cluster) -> None:
    def age() -> float:
        found = backed_up.prometheus('backup_last_success_timestamp_seconds{job="backup",service="backup"}')
        return time.time() - float(found[0]["value"][1]) if found else float("inf")

    backed_up.eventually(lambda: 0 < age() < 900, seconds=90, shown=age)
    assert backed_up.prometheus("backup_interval_seconds")[0]["value"][1] == "86400"
    assert backed_up.prometheus("backup_damaged_files")[0]["value"][1] == "0"


def test_a_target_that_cannot_be_used_is_refused_in_its_own_words(backed_up: Cluster) -> None:
    for backup, said in (
        ({"directory": "/etc/hostname", "s3": None}, "not a directory"),
        (
            {
                "directory": None,
                "s3": {"endpoint": "http://192.168.50.1:9", "bucket": "backups", "access_key": "k"},
            },
            "http://192.168.50.1:9/backups",
        ),
    ):
        with backed_up.configured(backup=backup):
            backed_up.set_secret("backup_storage_key", "key-Horse-battery")
            done = backed_up.pulumi("up", "--yes", "--skip-preview", check=False)
        assert done.returncode != 0
        assert said in done.stdout
    assert backed_up.download("backed up 100 KiB", back="slave") == CONTENTS["backed up 100 KiB"]
    backed_up.up("--refresh")
    assert run(backed_up, "list")
