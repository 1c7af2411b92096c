"""The commands as operators run them: with a real restic, and files on one machine."""

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from backup_cluster import LARGE, BackupCluster, content_of, described, put, remove
from running import free_ports, wait_until

from backup import backups, record
from backup.record import Record
from backup.repository import Repository
from file_transfer import healthcheck
from file_transfer.clock import now

pytestmark = pytest.mark.slow

PATIENCE_SECONDS = 120
"""For what starts several processes of restic, each of which derives a key."""

TIME = datetime(2026, 11, 29, 12, tzinfo=UTC)


@pytest.fixture
def new_cluster(tmp_path: Path) -> BackupCluster:
    """A cluster that has no repository yet."""
    return BackupCluster(tmp_path / "cluster", tmp_path / "backups")


@pytest.fixture
def cluster(new_cluster: BackupCluster, restic_repository: Path) -> BackupCluster:
    """A cluster with an empty repository."""
    shutil.copytree(restic_repository, new_cluster.backups / "repository")
    return new_cluster


@pytest.fixture
def other(tmp_path: Path) -> BackupCluster:
    """A new cluster with the same backups."""
    return BackupCluster(tmp_path / "other", tmp_path / "backups")


def recorded(cluster: BackupCluster) -> Record:
    return record.read(cluster.folder / "tmp")


def test_a_cluster_is_restored_from_its_backup(cluster: BackupCluster, other: BackupCluster) -> None:
    put(cluster.catalogue, "large", LARGE * 5)
    put(cluster.catalogue, "a small one", b"small")
    before = now()

    line = cluster.run("now")

    assert line.endswith(f"Z  2 files, {len(LARGE) * 5 + 5} bytes\n")
    assert cluster.run("list") == line
    found = recorded(cluster)
    assert (found.files, found.damaged, found.failures) == (2, 0, 0)
    assert found.last_success >= before.timestamp() - 1

    output = other.run("restore")

    assert output == f"{line.split()[0]}  2 files with {len(LARGE) * 5 + 5} bytes are restored\n"
    assert described(other.catalogue) == described(cluster.catalogue)


def test_a_restore_needs_an_empty_index_or_keeps_what_is_there(cluster: BackupCluster, other: BackupCluster) -> None:
    put(cluster.catalogue, "a", b"a")
    put(cluster.catalogue, "b", b"b")
    cluster.run("now")
    put(other.catalogue, "b", b"mine")

    error = other.run("restore", status=1)

    assert error == (
        "backup: the index has 1 files: a restore is for an empty cluster; "
        "--keep-existing restores only the names that are missing\n"
    )
    assert "1 files with 1 bytes are restored; 1 exist already" in other.run("restore", "--keep-existing")
    assert (content_of(other.catalogue, "a"), content_of(other.catalogue, "b")) == (b"a", b"mine")


def test_one_file_of_an_older_backup_is_restored(cluster: BackupCluster) -> None:
    put(cluster.catalogue, "name", b"old")
    time = cluster.run("now").split()[0]
    put(cluster.catalogue, "name", b"new")
    cluster.run("now")

    assert "exists: --replace replaces it" in cluster.run("restore", "--at", time, "--file", "name", status=1)
    assert "'name' with 3 bytes is restored" in cluster.run("restore", "--at", time, "--file", "name", "--replace")
    assert content_of(cluster.catalogue, "name") == b"old"
    assert "there is no file 'other'" in cluster.run("restore", "--file", "other", status=1)
    assert 'no backup of "yesterday"' in cluster.run("restore", "--at", "yesterday", status=1)
    assert "is a path" in cluster.run("restore", "--file", "../name", status=1)


LONG_AGO = TIME - timedelta(days=7)


def back_up_long_ago(cluster: BackupCluster) -> None:
    backups.make(cluster.repository, cluster.catalogue, (), LONG_AGO)


def test_a_cluster_that_has_lost_its_files_makes_no_backup_by_itself(cluster: BackupCluster) -> None:
    put(cluster.catalogue, "name", b"content")
    back_up_long_ago(cluster)
    remove(cluster.catalogue, "name")

    refused = cluster.run("now", "--if-due", status=1)
    assert "the index has no file, and the last backup has 1" in refused
    assert cluster.run("list").count("\n") == 1

    cluster.run("now")  # somebody says that it is right
    assert cluster.run("list").count("\n") == 2


def test_a_restore_that_was_interrupted_goes_on_with_the_same_backup(cluster: BackupCluster) -> None:
    put(cluster.catalogue, "first", b"first")
    put(cluster.catalogue, "second", b"second")
    back_up_long_ago(cluster)
    remove(cluster.catalogue, "second")
    ((backup,)) = backups.complete(cluster.repository.snapshots())
    backups.mark_restore(cluster.repository, backup)
    backups.make(cluster.repository, cluster.catalogue, (), LONG_AGO + timedelta(days=1))

    assert "a restore has not ended" in cluster.run("now", "--if-due", status=1)
    assert "its restore has NOT ended" in cluster.run("list").splitlines()[0]

    said = cluster.run("restore", "--keep-existing", "--without-metrics")

    assert said.startswith("2026-11-22T12:00:00Z  1 files with 6 bytes are restored; 1 exist already")
    assert content_of(cluster.catalogue, "second") == b"second"
    assert "NOT ended" not in cluster.run("list")
    (cluster.folder / "tmp" / "backup.json").unlink()  # or it would wait after the failure above
    cluster.run("now", "--if-due")
    assert cluster.run("list").count("\n") == 3


def test_half_a_state_is_passed_over(cluster: BackupCluster) -> None:
    cluster.run("now", "--state", "-", stdin=b'{"version": 3}')
    later = now() + timedelta(days=1)
    with cluster.repository.store(later, [backups.STATE], backups.STATE_FILENAME) as sink:
        sink.write(b'{"vers')  # the process that wrote it was killed

    assert cluster.run("state") == '{"version": 3}'
    assert "is cut short" in cluster.run("state", "--at", backups.format_time(later), status=1)


def test_options_that_contradict_each_other_are_refused(cluster: BackupCluster) -> None:
    assert "--replace needs --file" in cluster.run("restore", "--replace", status=2)
    assert "give one of them" in cluster.run("restore", "--file", "x", "--keep-existing", status=2)


def test_damage_is_counted_and_the_other_files_are_restored(cluster: BackupCluster, other: BackupCluster) -> None:
    put(cluster.catalogue, "bad", LARGE)
    put(cluster.catalogue, "good", LARGE + b"more")
    cluster.damage("bad")

    assert cluster.run("now").endswith(", 1 DAMAGED\n")
    assert recorded(cluster).damaged == 1

    error = other.run("restore", status=1)
    assert "1 files are not restored, since they were damaged when the backup was made" in error
    assert [file.name for file in other.catalogue.page("", "", 10)] == ["good"]


def test_a_state_is_stored_and_printed(cluster: BackupCluster) -> None:
    first, second = b'{"version": 3}', json.dumps({"resources": ["é" * 100_000]}).encode()
    assert "no backup has a state" in cluster.run("state", status=1)
    line = cluster.run("now", "--state", "-", stdin=first)
    cluster.run_alone("now", "--state", "-", stdin=second)
    cluster.run("now")

    assert cluster.run("state").encode() == second
    assert cluster.run("state", "--at", line.split()[0]).encode() == first
    assert line.endswith(", state\n")
    assert cluster.run("list").count("state") == 2
    assert "there is no state of" in cluster.run("state", "--at", "yesterday", status=1)


def test_a_state_that_is_not_json_is_refused(new_cluster: BackupCluster) -> None:
    assert "standard input is not JSON" in new_cluster.run("now", "--state", "-", status=1)
    assert not (new_cluster.backups / "repository").exists()


@pytest.fixture
def quick_init(monkeypatch: pytest.MonkeyPatch, restic_repository: Path) -> None:
    """Let `restic init` create a repository whose password is cheap to check."""
    run = Repository._run

    def quick(self: Repository, *arguments: str, seconds: float | None = None) -> bytes:
        if arguments == ("init",):
            shutil.copytree(restic_repository, self._location)
            return b""
        return run(self, *arguments, seconds=seconds)

    monkeypatch.setattr(Repository, "_run", quick)


@pytest.mark.usefixtures("quick_init")
def test_the_first_backup_creates_the_repository(new_cluster: BackupCluster) -> None:
    assert "Is there a repository" in new_cluster.run("list", status=1)

    assert new_cluster.run("now") == new_cluster.run("list")


def test_without_a_backup_there_is_nothing_to_restore(cluster: BackupCluster) -> None:
    assert cluster.run("list") == ""
    assert cluster.run("restore", status=1) == "backup: there is no complete backup yet: `now` makes one\n"


def test_errors_are_one_line(cluster: BackupCluster) -> None:
    cluster.more = {"BACKUP_CLUSTER": ""}
    assert cluster.run("list", status=1).startswith("backup: BACKUP_CLUSTER is missing: ")
    cluster.more = {}
    cluster.run("now")
    (cluster.backups / "password").write_text("another password")

    for error in (cluster.run("now", status=1), cluster.run("list", status=1), cluster.run_alone("serve", status=1)):
        assert "has another password than the one in BACKUP_PASSWORD_FILE" in error
        assert error.count("\n") == 1
    assert recorded(cluster).failures == 1


def test_a_backup_that_fails_is_counted_and_leaves_nothing(cluster: BackupCluster) -> None:
    put(cluster.catalogue, "large", LARGE)
    cluster.run("now")
    chunks = cluster.folder / "data" / "chunks"
    chunks.rename(chunks.with_name("away"))
    chunks.write_text("no directory")

    cluster.run("now", status=1)

    assert recorded(cluster).failures == 1
    assert cluster.tags() == ["files", "summary"]


def test_metrics_that_cannot_be_read_do_not_keep_files_waiting(cluster: BackupCluster, other: BackupCluster) -> None:
    put(cluster.catalogue, "name", b"content")
    (cluster.backups / "influxdb").write_text("a password")
    cluster.more = {
        "BACKUP_DATABASES": "vms=127.0.0.1:1",
        "BACKUP_READER_PASSWORD_FILE": str(cluster.backups / "influxdb"),
        "BACKUP_WRITER_PASSWORD_FILE": str(cluster.backups / "influxdb"),
    }

    error = cluster.run("now", status=1)

    assert "NO metrics of vms" in error
    assert "InfluxDB 127.0.0.1:1, database vms: it cannot be read" in error
    found = recorded(cluster)
    assert (found.files, found.failures) == (1, 1)
    assert found.last_success > found.last_failure
    other.more = cluster.more
    assert "the backup has no metrics of vms" in other.run("restore")
    assert content_of(other.catalogue, "name") == b"content"


def put_endless(cluster: BackupCluster) -> None:
    """Store a file that is archived, and then one that nobody can read to its end."""
    cluster.more["RESTIC_PACK_SIZE"] = "4"  # MiB, the least
    put(cluster.catalogue, "a file of several packs", os.urandom(16 * 2**20))
    put(cluster.catalogue, "endless", LARGE)
    chunk = cluster.chunk("endless")
    chunk.unlink()
    os.mkfifo(chunk)  # opening it waits for a writer


def has_begun(cluster: BackupCluster) -> bool:
    """Whether restic has stored a part of the archive."""
    return any(path.is_file() for path in (cluster.backups / "repository" / "data").rglob("*"))


def test_a_backup_that_is_terminated_leaves_no_snapshot(cluster: BackupCluster) -> None:
    put_endless(cluster)
    process = cluster.start("now")
    wait_until(lambda: has_begun(cluster), PATIENCE_SECONDS)

    process.terminate()
    process.communicate(timeout=30)

    assert process.returncode == 128 + signal.SIGTERM
    assert cluster.tags() == []
    assert recorded(cluster).failures == 0


def test_a_backup_without_its_summary_does_not_count(cluster: BackupCluster, other: BackupCluster) -> None:
    """It is what a killed process may leave: its end is the end of restic's standard input."""
    put(cluster.catalogue, "name", b"content")
    complete = cluster.run("now")
    with cluster.repository.store(now() + timedelta(hours=1), ["files"], "files.tar") as sink:
        sink.write(b"half an archive")

    assert cluster.run("list") == complete
    assert "1 files" in other.run("restore")

    cluster.run("now")
    assert cluster.tags() == ["files", "files", "summary", "summary"]


def test_old_backups_are_forgotten_with_all_that_belongs_to_them(cluster: BackupCluster) -> None:
    repository = cluster.repository
    for day, hour in ((0, 0), (0, 6), (1, 0), (2, 0), (2, 6)):
        state = b"{}" if (day, hour) == (2, 0) else None
        backups.make(repository, cluster.catalogue, (), TIME + timedelta(days=day, hours=hour), state)

    backups.forget_old(repository, [("daily", 2)], repository.snapshots())

    kept = [backup.time for backup in backups.complete(repository.snapshots())]
    assert kept == [TIME + timedelta(days=1), TIME + timedelta(days=2, hours=6)]
    assert cluster.tags() == ["files", "files", "state", "summary", "summary"]


def test_two_backups_of_one_second_are_two(cluster: BackupCluster) -> None:
    for taken in ((), (TIME,)):
        backups.make(cluster.repository, cluster.catalogue, (), TIME, taken=taken)

    found = backups.complete(cluster.repository.snapshots())
    assert [backup.time for backup in found] == [TIME, TIME + timedelta(seconds=1)]
    assert backups.choose(found, "2026-11-29T12:00:00Z") == found[0]


@contextmanager
def serving(cluster: BackupCluster, **more: str) -> Iterator[str]:
    """Run the service, and yield its address."""
    (port,) = free_ports(1)
    cluster.more |= {"BACKUP_PORT": str(port), **more}
    process = cluster.start("serve")
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors.decode()


def metrics(url: str) -> dict[str, float]:
    try:
        lines = requests.get(f"{url}/metrics", timeout=10).text.splitlines()
    except requests.ConnectionError:
        return {}
    return {name: float(value) for name, value in (line.split() for line in lines if not line.startswith("#"))}


def test_the_service_makes_a_backup_when_there_is_none_and_reports_it(cluster: BackupCluster) -> None:
    put(cluster.catalogue, "bad", LARGE)
    put(cluster.catalogue, "good", b"good")
    cluster.damage("bad")
    started = time.time()

    with serving(cluster) as url:
        wait_until(lambda: metrics(url).get("backup_files", 0) > 0, PATIENCE_SECONDS)
        found = metrics(url)
        assert requests.get(f"{url}/healthz", timeout=10).text == "alive\n"
        assert requests.get(f"{url}/else", timeout=10).status_code == 404

    assert set(found) == {
        "backup_last_success_timestamp_seconds",
        "backup_failures_total",
        "backup_files",
        "backup_damaged_files",
        "backup_interval_seconds",
    }
    assert found["backup_interval_seconds"] == 86400
    assert found["backup_files"] == 2
    assert (found["backup_damaged_files"], found["backup_failures_total"]) == (1, 0)
    assert started - 1 <= found["backup_last_success_timestamp_seconds"] <= time.time()


def test_a_restart_makes_no_backup_and_remembers_the_last_one(cluster: BackupCluster) -> None:
    put(cluster.catalogue, "bad", LARGE)
    cluster.damage("bad")
    line = cluster.run("now")
    for path in (cluster.folder / "tmp").iterdir():
        path.unlink()  # the container's /tmp is new

    with serving(cluster) as url:
        wait_until(lambda: metrics(url).get("backup_damaged_files") == 1, PATIENCE_SECONDS)
        assert "no backup is due" in cluster.run("now", "--if-due")

    assert cluster.run("list") == line


def test_the_service_reports_what_another_process_has_done(cluster: BackupCluster) -> None:
    with serving(cluster) as url:
        wait_until(lambda: metrics(url).get("backup_last_success_timestamp_seconds", 0) > 0, PATIENCE_SECONDS)
        put(cluster.catalogue, "name", b"content")
        cluster.run("now")
        assert metrics(url)["backup_files"] == 1


def test_the_service_goes_on_when_a_backup_fails(cluster: BackupCluster) -> None:
    with serving(cluster, FILE_TRANSFER_STORAGE="nowhere") as url:
        wait_until(lambda: metrics(url).get("backup_failures_total") == 1, PATIENCE_SECONDS)
        assert requests.get(f"{url}/healthz", timeout=10).ok
        assert metrics(url)["backup_last_success_timestamp_seconds"] == 0


def test_a_service_whose_repository_cannot_be_used_does_not_begin(cluster: BackupCluster) -> None:
    cluster.more = {"BACKUP_REPOSITORY": "/proc/no-folder"}

    said = cluster.run_alone("serve", status=1)

    assert said.startswith('backup: the repository "/proc/no-folder": ')
    assert said.count("\n") == 1


def test_a_service_without_a_repository_creates_it_before_it_answers(new_cluster: BackupCluster) -> None:
    with serving(new_cluster) as url:
        wait_until(lambda: metrics(url) != {}, PATIENCE_SECONDS)

        assert (new_cluster.backups / "repository" / "config").exists()


def test_the_file_services_health_check_asks_this_service_too(
    cluster: BackupCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(cluster) as url:
        wait_until(lambda: metrics(url) != {}, PATIENCE_SECONDS)
        monkeypatch.setenv("FILE_TRANSFER_STATUS_PORT", url.rpartition(":")[2])
        assert healthcheck.main(10) == 0
    assert healthcheck.main(10) == 1


def test_a_service_that_is_stopped_during_a_backup_leaves_no_snapshot(cluster: BackupCluster) -> None:
    put_endless(cluster)

    with serving(cluster):
        wait_until(lambda: has_begun(cluster), PATIENCE_SECONDS)

    assert cluster.tags() == []
