"""The data that does not live on every host, and the hosts that may have it."""

from collections.abc import Sequence

from components import patroni
from components.data_hosts import FILES, INDEX, MONITORING, CopiedData, Data
from settings.models import Settings
from settings.topology.monitoring import monitoring_services
from settings.topology.storage import file_service


def kinds_of_data(settings: Settings) -> list[Data | CopiedData]:
    """Return the kinds of data that do not live on every host."""
    wanted = settings.file_service
    managers = [host.name for host in settings.managers]
    first = managers[0]
    metrics = Data(
        kind=MONITORING,
        volumes=frozenset().union(*(service.volumes for service in monitoring_services(settings, host=first))),
        setting="monitoring.host",
        chosen=settings.monitoring.host,
        default=first,
    )
    if wanted.storage == "directory":
        files = Data(
            kind=FILES,
            volumes=file_service(settings, {FILES: [first]}).volumes,
            setting="file_service.storage_host",
            chosen=wanted.storage_host,
            default=first,
        )
        return [metrics, files]
    workers = [host.name for host in settings.present_hosts if host.role == "worker"]
    index = CopiedData(
        kind=INDEX,
        volume=patroni.service_name,
        setting="file_service.index_hosts",
        chosen=wanted.index_hosts,
        default=patroni.default_hosts(managers, workers),
    )
    return [metrics, index]


def new_data(settings: Settings) -> dict[str, Sequence[str]]:
    """Return, for each kind of data, the names of the hosts that get it while no host has any."""
    hosts: dict[str, Sequence[str]] = {}
    for data in kinds_of_data(settings):
        if isinstance(data, CopiedData):
            hosts[data.kind] = data.chosen or data.default
        else:
            hosts[data.kind] = [data.chosen or data.default]
    return hosts
