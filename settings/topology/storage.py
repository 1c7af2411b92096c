"""The file service, and the services that keep its files: the index, and the object store."""

from collections.abc import Iterator, Mapping, Sequence

from components import etcd_member, patroni, seaweedfs
from components.data_hosts import FILES, INDEX
from components.quorum import voters
from settings.models import Settings
from settings.topology.networks import FILES_NET, INDEX_NET, STORAGE_NET, store_network
from settings.topology.service import Service, service_with_data


def file_service(settings: Settings, holders: Mapping[str, Sequence[str]]) -> Service:
    """Return the file service: on the host with the directory, or else on every host."""
    replicas = settings.file_service.replicas
    if settings.file_service.storage == "directory":
        return service_with_data("files", holders[FILES][0], networks=[FILES_NET], tasks=replicas)
    return Service(
        name="files",
        tasks=replicas,
        hosts=[host.name for host in settings.present_hosts],
        networks=[FILES_NET, INDEX_NET, store_network(settings)],
    )


def storage_services(settings: Settings, holders: Mapping[str, Sequence[str]]) -> Iterator[Service]:
    """Yield the services of the index and of the object store, if this kind of storage has them."""
    if settings.file_service.storage == "directory":
        return
    for host in voting_hosts(settings):
        yield service_with_data(etcd_member.service_name(host), host, networks=[INDEX_NET])
    for host in holders[INDEX]:
        yield service_with_data(patroni.service_name(host), host, networks=[INDEX_NET])
    if settings.file_service.storage == "s3":
        return
    for host in voting_hosts(settings):
        yield service_with_data(seaweedfs.master_name(host), host, networks=[STORAGE_NET])
    server = seaweedfs.VOLUME_SERVER
    hosts = [host.name for host in settings.present_hosts]
    yield Service(name=server, tasks=len(hosts), hosts=hosts, networks=[STORAGE_NET], volumes=frozenset({server}))


def place_of_files(settings: Settings) -> str:
    """Return where the files are stored: in the "cluster", in a "directory", or the address of the bucket."""
    bucket = settings.file_service.s3
    if bucket is None:
        return settings.file_service.storage
    return "/".join(filter(None, (bucket.endpoint, bucket.bucket, bucket.prefix.strip("/"))))


def voting_members(settings: Settings) -> Sequence[str]:
    """Return the hosts that vote in every service that decides by majority.

    One of three that is gone is among them, because it is not known yet which host replaces it.
    """
    declared = voters([host for host in settings.hosts if host.role == "manager"])
    if 2 * sum(host in settings.managers for host in declared) > len(declared):
        return [host.name for host in declared]
    return voters([host.name for host in settings.managers])


def voting_hosts(settings: Settings) -> Sequence[str]:
    """Return the voting members that are not gone."""
    present = {host.name for host in settings.managers}
    return [name for name in voting_members(settings) if name in present]
