"""Snapshots in a real restic repository: a stream is stored whole or not at all, and errors say what to do."""

import shutil
import socket
import subprocess
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from backup_cluster import BackupCluster
from running import wait_until

from backup import repository as module
from backup import settings
from backup.repository import Repository, RepositoryError, WrongPasswordError

pytestmark = pytest.mark.slow

TIME = datetime(2026, 11, 29, 12, tzinfo=UTC)


@pytest.fixture
def cluster(tmp_path: Path) -> BackupCluster:
    return BackupCluster(tmp_path / "cluster", tmp_path / "backups")


@pytest.fixture
def repository(cluster: BackupCluster, restic_repository: Path) -> Repository:
    shutil.copytree(restic_repository, cluster.backups / "repository")
    return cluster.repository


def store(repository: Repository, content: bytes, when: datetime = TIME, tag: str = "files") -> None:
    with repository.store(when, [tag], "it.txt") as sink:
        sink.write(content)


def test_what_was_stored_can_be_read(repository: Repository) -> None:
    content = b"content" * 1_000_000
    store(repository, content)

    (snapshot,) = repository.snapshots()

    assert (snapshot.time, snapshot.tags) == (TIME, {"files"})
    with repository.open(snapshot, "it.txt") as stream:
        assert stream.read() == content


def test_a_reader_may_stop_early(repository: Repository) -> None:
    store(repository, b"content" * 1_000_000)

    with repository.open(repository.snapshots()[0], "it.txt") as stream:
        assert stream.read(7) == b"content"


def test_a_repository_that_had_backups_is_not_made_again(cluster: BackupCluster) -> None:
    with pytest.raises(RepositoryError, match="is gone, and it had backups: is its directory still mounted"):
        cluster.repository.prepare(had_backups=True)

    assert not (cluster.backups / "repository").exists()


def test_a_repository_that_does_not_answer_is_given_up(cluster: BackupCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ANSWER_SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts connections, and never answers
        address = f"s3:http://127.0.0.1:{silent.getsockname()[1]}/bucket"
        found = settings.load({**cluster.environment, "BACKUP_REPOSITORY": address}).repository

        with pytest.raises(RepositoryError, match=f"{address}.*does not answer within 1 s"):
            Repository(replace(found, access_key="key", secret_key="secret")).prepare()


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_stream_that_fails_in_the_middle_leaves_no_snapshot(
    repository: Repository, cluster: BackupCluster, failure: type[BaseException]
) -> None:
    with pytest.raises(failure), repository.store(TIME, ["files"], "it.txt") as sink:  # noqa: PT012 - the block fails
        sink.write(b"half" * 1_000_000)
        raise failure

    assert repository.snapshots() == []
    assert list((cluster.backups / "repository" / "locks").iterdir()) == []


def test_a_restic_that_dies_in_the_middle_is_an_error(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen

    def recorded(*arguments: object, **options: object) -> subprocess.Popen[bytes]:
        started.append(popen(*arguments, **options))  # type: ignore[call-overload]
        return started[-1]

    monkeypatch.setattr("backup.repository.subprocess.Popen", recorded)
    with pytest.raises(RepositoryError), repository.store(TIME, ["files"], "it.txt") as sink:  # noqa: PT012 - it fails later
        started[0].kill()
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            sink.write(b"x" * 100_000)

    monkeypatch.undo()
    assert repository.snapshots() == []


def test_the_locks_of_killed_processes_are_removed(repository: Repository, cluster: BackupCluster) -> None:
    locks = cluster.backups / "repository" / "locks"
    process = subprocess.Popen(
        ["restic", "--no-cache", "--repo", cluster.environment["BACKUP_REPOSITORY"], "backup", "--stdin"],
        env={"RESTIC_PASSWORD_FILE": cluster.environment["BACKUP_PASSWORD_FILE"], "PATH": "/usr/bin:/bin"},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    # While it writes the lock, the file has another name.
    wait_until(lambda: any("-tmp-" not in path.name for path in locks.iterdir()))
    process.kill()
    process.communicate()

    repository.prepare()

    assert list(locks.iterdir()) == []


def test_a_wrong_password_is_reported_and_nothing_is_created(repository: Repository, cluster: BackupCluster) -> None:
    store(repository, b"content")
    (cluster.backups / "password").write_text("another password")

    for attempt in (repository.prepare, repository.snapshots):
        with pytest.raises(WrongPasswordError, match="another password than the one in BACKUP_PASSWORD_FILE"):
            attempt()

    assert len(list((cluster.backups / "repository" / "keys").iterdir())) == 1


def test_a_repository_is_created_once(cluster: BackupCluster) -> None:
    cluster.repository.prepare()
    store(cluster.repository, b"content")
    cluster.repository.prepare()

    assert len(cluster.repository.snapshots()) == 1


@pytest.mark.parametrize("location", ["/proc/nothing/here", "s3:http://127.0.0.1:1/bucket"])
def test_a_repository_that_cannot_be_created_is_an_error(cluster: BackupCluster, location: str) -> None:
    with pytest.raises(RepositoryError, match=f'the repository "{location}": '):
        Repository(replace(settings.load(cluster.environment).repository, location=location)).prepare()


def test_only_snapshots_of_the_cluster_are_seen_and_forgotten(repository: Repository, cluster: BackupCluster) -> None:
    other = Repository(replace(settings.load(cluster.environment).repository, cluster="other"))
    store(other, b"of another cluster")
    store(repository, b"old", TIME)
    store(repository, b"new", TIME + timedelta(days=1))

    repository.keep_only([("last", 1)], ["files"])

    assert [snapshot.time for snapshot in repository.snapshots()] == [TIME + timedelta(days=1)]
    assert len(other.snapshots()) == 1


def test_snapshots_of_others_are_no_trouble(repository: Repository, cluster: BackupCluster) -> None:
    cluster.restic("backup", "--host", "test", cluster.environment["BACKUP_PASSWORD_FILE"])

    assert [snapshot for snapshot in repository.snapshots() if snapshot.tags] == []


def test_what_is_forgotten_is_deleted(repository: Repository, cluster: BackupCluster) -> None:
    store(repository, b"".join(b"%d," % number for number in range(500_000)))
    data = cluster.backups / "repository" / "data"

    repository.forget(repository.snapshots())

    assert repository.snapshots() == []
    assert sum(path.stat().st_size for path in data.rglob("*") if path.is_file()) == 0
