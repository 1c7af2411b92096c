"""What a task sees of volumes, of its host, and of memory, in the provider's words."""

from collections.abc import Mapping

from pulumi_docker import ServiceTaskSpecContainerSpecMountArgs as MountArgs
from pulumi_docker import ServiceTaskSpecContainerSpecMountTmpfsOptionsArgs as TmpfsOptionsArgs
from pulumi_docker import ServiceTaskSpecContainerSpecMountVolumeOptionsArgs as VolumeOptionsArgs

CONTAINERD_SOCKET = "/run/containerd/containerd.sock"
"""Where the host's own containerd listens. Whoever can use this socket is root on the host."""

SECRETS = "/run/secrets"
"""The folder in which a task finds its secrets."""

_MIB = 2**20


def mounts(
    *,
    volumes: Mapping[str, str],
    read_only_volumes: Mapping[str, str],
    host_paths: Mapping[str, str],
    tmpfs: Mapping[str, int],
    writable_host_paths: Mapping[str, str],
) -> list[MountArgs]:
    """Return the mounts of a task.

    Args:
        volumes: the path of each volume, by its name.
        read_only_volumes: the same, of those that the task may only read.
        host_paths: the path where the task may read a path of the host.
        tmpfs: the size of each empty filesystem in memory, in MiB, by its path.
        writable_host_paths: the path where the task may read and write a path of the host.
    """
    return [
        *(
            MountArgs(
                type="volume",
                source=volume,
                target=path,
                read_only=is_read_only,
                # Otherwise Docker copies the image's files at this path, and their owner, into an empty volume.
                volume_options=VolumeOptionsArgs(no_copy=True),
            )
            for listed, is_read_only in ((volumes, None), (read_only_volumes, True))
            for volume, path in listed.items()
        ),
        *(MountArgs(type="bind", source=path, target=target, read_only=True) for path, target in host_paths.items()),
        *(MountArgs(type="bind", source=path, target=target) for path, target in writable_host_paths.items()),
        *(
            MountArgs(
                type="tmpfs",
                target=path,
                # The provider loses a sticky bit when it reads the mode back. A task needs none: it has one user.
                tmpfs_options=TmpfsOptionsArgs(size_bytes=size * _MIB, mode=0o777),
            )
            for path, size in tmpfs.items()
        ),
    ]
