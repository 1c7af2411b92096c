"""The backups: of the files and of both databases with metrics, if the settings say where to."""

from collections.abc import Mapping
from pathlib import Path

from components import backup
from components.backup import Backup, BackupArgs, BackupTarget, in_bucket, in_directory
from components.file_service import FileService
from components.file_storage import FileStorage
from components.influxdb import InfluxDb
from components.overlay import OverlayNetwork
from components.swarm import SwarmCluster
from settings import Settings, secret
from settings.topology import CLUSTER_NET, Topology


def create_backup(
    settings: Settings,
    topology: Topology,
    cluster: SwarmCluster,
    networks: Mapping[str, OverlayNetwork],
    storage: FileStorage,
    files: FileService,
    databases: Mapping[str, InfluxDb],
) -> Backup | None:
    """Create the service that makes the backups, or return None if the settings want none."""
    if settings.backup is None:
        return None
    assert settings.backup_password  # noqa: S101 - the settings are validated
    (host,) = topology.services[backup.SERVICE].hosts
    return Backup(
        backup.SERVICE,
        BackupArgs(
            cluster=cluster,
            networks=[networks[CLUSTER_NET]],
            host=cluster.host(host),
            storage=storage,
            databases=databases,
            context=Path("services/file_transfer"),  # relative, so that Pulumi's state is the same in every checkout
            python_image=settings.images.python,
            target=_target(settings),
            every=settings.backup.every_seconds,
            keep=settings.backup.keep.model_dump(),
            password=secret(settings.backup_password),
            reader_password=secret(settings.influxdb_reader_password),
            writer_password=secret(settings.influxdb_writer_password),
            volume=files.volume,
            min_free_bytes=settings.file_service.min_free_bytes,
            after=[files.ready] if files.volume else [],
        ),
    )


def _target(settings: Settings) -> BackupTarget:
    assert settings.backup  # noqa: S101 - only then it is asked
    if directory := settings.backup.directory:
        return in_directory(directory)
    assert settings.backup.s3  # noqa: S101 - the settings are validated
    assert settings.backup_storage_key  # noqa: S101 - the settings are validated
    return in_bucket(**settings.backup.s3.model_dump(), secret_key=secret(settings.backup_storage_key))
