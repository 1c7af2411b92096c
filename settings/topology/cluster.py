"""The cluster as a whole, and what preflight checks on its hosts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from components import backup
from components.data_hosts import INDEX, MONITORING
from components.preflight import Plan
from components.registry import Login
from settings.models import Settings
from settings.topology.data import kinds_of_data
from settings.topology.monitoring import monitoring_services
from settings.topology.networks import (
    CLUSTER_NET,
    FILES_NET,
    INDEX_NET,
    Network,
    named_networks,
    networks,
    store_network,
)
from settings.topology.ports import consoles, databases, published_ports, statistics_port
from settings.topology.service import Service
from settings.topology.storage import file_service, place_of_files, storage_services, voting_hosts, voting_members


@dataclass(frozen=True, kw_only=True)
class Topology:
    """The whole cluster, placed on its hosts.

    `index_hosts` have a PostgreSQL each, and `voting_hosts` a member of every service that decides by majority.
    `voters` are these, and one that is gone while the other two are still the majority of three.
    `consoles` and `databases` map a port of every host to the "SERVICE:PORT" that the edge shows there. At
    `statistics_port` it shows its own statistics. `storage` says where the files are, as the nodes' label does.
    """

    services: Mapping[str, Service]
    networks: Sequence[Network]
    index_hosts: Sequence[str]
    voting_hosts: Sequence[str]
    voters: Sequence[str]
    consoles: Mapping[int, str]
    databases: Mapping[int, str]
    statistics_port: int | None
    storage: str


def plan(settings: Settings, *, stack: str) -> Plan:
    """Return what preflight checks on the hosts, before it is known which of them hold data."""
    return Plan(
        stack=stack,
        managers=[host.name for host in settings.managers],
        networks=named_networks(settings),
        storage=place_of_files(settings),
        data=kinds_of_data(settings),
        ports=list(published_ports(settings)),
        registry=_login(settings),
    )


def describe(settings: Settings, holders: Mapping[str, Sequence[str]]) -> Topology:
    """Return the cluster on the hosts that hold its data: `holders` are the names of the hosts of each kind."""
    monitoring_host = holders[MONITORING][0]
    services = [
        file_service(settings, holders),
        *storage_services(settings, holders),
        _edge(settings),
        *monitoring_services(settings, host=monitoring_host),
        *_backup(settings, holders),
    ]
    return Topology(
        services={service.name: service for service in services},
        networks=networks(settings),
        index_hosts=holders.get(INDEX, []),
        voting_hosts=voting_hosts(settings),
        voters=voting_members(settings),
        consoles=consoles(settings),
        databases=databases(settings),
        statistics_port=statistics_port(settings),
        storage=place_of_files(settings),
    )


def _edge(settings: Settings) -> Service:
    hosts = [host.name for host in settings.present_hosts]
    ports = {port.number: port.number for port in published_ports(settings)}
    return Service(name="edge", tasks=len(hosts), hosts=hosts, networks=[CLUSTER_NET, FILES_NET], ports=ports)


def _backup(settings: Settings, holders: Mapping[str, Sequence[str]]) -> Iterator[Service]:
    """Yield the service that makes the backups, if there is one. It reads a directory on the host that has it."""
    if settings.backup is None:
        return
    if settings.file_service.storage == "directory":
        files = file_service(settings, holders)
        yield Service(name=backup.SERVICE, tasks=1, hosts=files.hosts, networks=[CLUSTER_NET], volumes=files.volumes)
        return
    yield Service(
        name=backup.SERVICE,
        tasks=1,
        hosts=[settings.backup.host or holders[MONITORING][0]],
        networks=[CLUSTER_NET, INDEX_NET, store_network(settings)],
    )


def _login(settings: Settings) -> Login | None:
    registry = settings.registry
    if registry is None:
        return None
    return Login(address=registry.address, username=registry.username, password=registry.password.get_secret_value())
