"""The service that makes the backups: where it runs, what it is told, and that its backups stay."""

from collections.abc import Callable
from typing import Any

import pytest
from recorder import PASSWORDS, Recorder, inputs_of, revealed

from components import backup, connections, users
from operations import backups
from settings.models import Backup

Run = Callable[..., Recorder]
PASSWORD = {"backup_password": "backup-Horse-battery"}
BUCKET = {"endpoint": "https://s3.example", "bucket": "team", "prefix": "/lab/", "access_key": "AK", "region": "eu-1"}
S3 = {"backup": {"s3": BUCKET}, "backup_storage_key": "key-Horse-battery", **PASSWORD}
FILES_ON_SLAVE = {"file_service": {"storage": "directory", "storage_host": "slave", "min_free_bytes": 12345}}
DIRECTORY = {"backup": {"directory": "/srv/backup", "every": "12h", "keep": {"last": 1, "weekly": 0}}, **PASSWORD}
SECRETS = (*PASSWORDS, "backup_password", "backup_storage_key")


def test_without_the_setting_there_are_no_backups(run_once: Run, values: dict[str, Any]) -> None:
    assert backup.SERVICE not in run_once(values).services()


@pytest.mark.parametrize(("host", "expected"), [(None, "master"), ("slave", "slave")])
def test_the_directory_is_made_on_the_host_that_makes_the_backups(
    run_once: Run, values: dict[str, Any], host: str | None, expected: str
) -> None:
    settings = {**DIRECTORY["backup"], "host": host}

    recorder = run_once({**values, **DIRECTORY, "backup": settings}, secrets=SECRETS)

    constraints = recorder.services()["backup"]["taskSpec"]["placement"]["constraints"]
    assert f"node.labels.swarm-transfer.host=={expected}" in constraints
    command = recorder.commands()[f"backup-directory-on-{expected}"]
    variables, _ = inputs_of(command["create"])
    assert (variables["DIRECTORY"], variables["OWNER"]) == ("/srv/backup", str(users.BACKUP))
    assert "delete" not in command, "the backups would be deleted with the cluster"
    assert f"backup-image-{expected}" in recorder.of_type("docker:index/image:Image")


def test_the_service_is_told_where_how_often_and_how_many(run_once: Run, values: dict[str, Any]) -> None:
    recorder = run_once({**values, **DIRECTORY}, secrets=SECRETS)

    told = recorder.environment("backup")
    assert told["BACKUP_REPOSITORY"] == "/backup"
    assert told["BACKUP_EVERY_SECONDS"] == str(12 * 3600)
    assert told["BACKUP_KEEP"] == "last=1,daily=7,monthly=12"
    assert told["BACKUP_DATABASES"] == "vms=influxdb-vms:8086,containers=influxdb-containers:8086"
    assert told["BACKUP_CLUSTER"] == "lab"
    assert told["FILE_TRANSFER_POSTGRES_CONNECTIONS"] == str(connections.FOR_BACKUP)


def test_a_bucket_has_its_address_and_its_keys(run_once: Run, values: dict[str, Any]) -> None:
    recorder = run_once({**values, **S3}, secrets=SECRETS)

    told = recorder.environment("backup")
    assert told["BACKUP_REPOSITORY"] == "s3:https://s3.example/team/lab"
    assert told["BACKUP_REGION"] == "eu-1"
    secrets = recorder.of_type("docker:index/secret:Secret")
    assert {"backup-access-key", "backup-secret-key", "backup-password"} <= secrets.keys()
    assert "backup-directory-on-master" not in recorder.commands()


def test_the_service_has_every_secret_that_it_is_told_of(run_once: Run, values: dict[str, Any]) -> None:
    file_service = {"storage": "s3", "s3": {**BUCKET, "access_key": "files"}}
    settings = {**values, **S3, "file_service": file_service, "storage_key": "files-Horse-battery"}

    recorder = run_once(settings, secrets=(*SECRETS, "storage_key"))

    mounted = recorder.services()["backup"]["taskSpec"]["containerSpec"]["secrets"]
    files = [f"/run/secrets/{secret['fileName']}" for secret in mounted]
    told = [value for name, value in recorder.environment("backup").items() if name.endswith("_FILE")]
    assert sorted(files) == sorted(told)
    assert len(set(files)) == len(files)
    contents = {
        name: revealed(secret["data"]) for name, secret in recorder.of_type("docker:index/secret:Secret").items()
    }
    assert contents["backup-secret-key"] != contents["backup-storage-secret-key"]


def test_the_service_starts_after_what_it_copies(run_once: Run, values: dict[str, Any]) -> None:
    ready = run_once({**values, **DIRECTORY}, secrets=SECRETS).ready

    for earlier in ("influxdb-vms", "influxdb-containers", "object-store-volume", "postgres-slave"):
        assert ready.index(earlier) < ready.index("backup")


@pytest.mark.parametrize("host", [None, "slave"])
def test_a_directory_of_files_is_backed_up_on_its_own_host(
    run_once: Run, values: dict[str, Any], host: str | None
) -> None:
    settings = {**DIRECTORY["backup"], "host": host}

    recorder = run_once({**values, **DIRECTORY, **FILES_ON_SLAVE, "backup": settings}, secrets=SECRETS)

    assert recorder.commands()["backup-directory-on-slave"]
    for service in ("files", "backup"):
        constraints = recorder.services()[service]["taskSpec"]["placement"]["constraints"]
        assert "node.labels.swarm-transfer.host==slave" in constraints, service
    told = recorder.environment("backup")
    assert (told["FILE_TRANSFER_STORAGE"], told["FILE_TRANSFER_DATA"]) == ("directory", "/data")
    assert told["FILE_TRANSFER_MIN_FREE_BYTES"] == "12345"
    # What it mounts must exist: Swarm would create a volume that belongs to root.
    assert "files" in recorder.dependencies["backup"]


def test_a_restore_writes_as_the_user_of_the_file_service(run_once: Run, values: dict[str, Any]) -> None:
    services = run_once({**values, **DIRECTORY, **FILES_ON_SLAVE}, secrets=SECRETS).services()

    container = services["files"]["taskSpec"]["containerSpec"]
    assert container["user"] == users.alone(int(backups.RESTORE.variables["OWNER"]))
    # The script finds the volume at this path.
    targets = {mount["target"] for mount in services["backup"]["taskSpec"]["containerSpec"]["mounts"]}
    assert "/data" in targets


@pytest.mark.parametrize(("every", "seconds"), [("90m", 5400), ("6h", 21600), ("2d", 172800)])
def test_the_time_between_backups_in_seconds(every: str, seconds: int) -> None:
    assert Backup(directory="/srv", every=every).every_seconds == seconds
