"""The file service, and who may use it."""

from collections.abc import Mapping
from pathlib import Path

from components.file_service import FileService, FileServiceArgs
from components.file_storage import FileStorage
from components.overlay import OverlayNetwork
from components.swarm import SwarmCluster
from components.tokens import TokenArgs
from settings import Settings, secret
from settings.models.tokens import Token
from settings.topology import FILES_NET


def create_file_service(
    settings: Settings, cluster: SwarmCluster, networks: Mapping[str, OverlayNetwork], storage: FileStorage
) -> FileService:
    """Create the replicas of the file service."""
    return FileService(
        "files",
        FileServiceArgs(
            cluster=cluster,
            network=networks[FILES_NET],
            storage=storage,
            context=Path("services/file_transfer"),  # relative, so that Pulumi's state is the same in every checkout
            python_image=settings.images.python,
            replicas=settings.file_service.replicas,
            max_file_bytes=settings.file_service.max_file_bytes,
            quota_bytes=settings.file_service.quota_bytes,
            min_free_bytes=settings.file_service.min_free_bytes,
            grace=settings.file_service.grace,
            anonymous=settings.file_service.anonymous,
            allowed_hosts=settings.allowed_hosts,
            allowed_origins=settings.file_service.allowed_origins,
            tokens=None if settings.tokens is None else _tokens(settings.tokens),
        ),
    )


def _tokens(holders: Mapping[str, Token]) -> dict[str, TokenArgs]:
    return {
        name: TokenArgs(
            token=secret(holder.token),
            scopes=holder.scopes,
            prefix=holder.prefix,
            expires=holder.expires,
            ttl=holder.ttl,
            quota_bytes=holder.quota_bytes,
        )
        for name, holder in holders.items()
    }
