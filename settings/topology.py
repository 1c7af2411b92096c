"""The cluster that the settings describe: its services, its networks, its data, and the ports that it publishes.

All of it is known before anything is registered. Preflight, the alerts' expectations, the wiring and the validation of
the settings read it here, and a test compares it with what the program registers.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network

from components import alertmanager, backup, etcd_member, grafana, influxdb, patroni, prometheus, seaweedfs
from components.data_hosts import FILES, INDEX, MONITORING, CopiedData, Data
from components.host_networks import NamedNetworks
from components.ports import PublishedPort
from components.preflight import Plan
from components.quorum import voters
from components.registry import Login
from settings.models import Settings

CLUSTER_NET = "cluster-net"
"""The network of what is published or tells somebody outside: the edge, the databases, Prometheus and Alertmanager.

Only this one and OUTSIDE_NET lead out of the cluster, and to the hosts themselves."""

API_NET = "api-net"
FILES_NET = "files-net"
METRICS_NET = "metrics-net"
STORAGE_NET = "storage-net"
INDEX_NET = "index-net"

OUTSIDE_NET = "outside-net"
"""The network by which replicas reach a bucket elsewhere. Nothing else is on it."""

DATABASES = {"vms": 8086, "containers": 8087}
"""The two InfluxDB databases, and the host's port of each where it is published."""

_CONSOLES = {"prometheus": prometheus.PORT, "alertmanager": alertmanager.PORT, "grafana": grafana.PORT}
"""The services with pages for the operator. If one is published, it is on every host at its own port."""

_STATISTICS = {"edge": 8405}
"""The port of the edge's own statistics, if they are published."""


@dataclass(frozen=True, kw_only=True)
class Service:
    """One Swarm service: how many tasks it is to have, and the names of the hosts where they may run.

    `networks` are the names of its networks, and `volumes` the volumes with its data. `ports` maps a port of its hosts
    to the one on which a task listens.
    """

    name: str
    tasks: int
    hosts: Sequence[str]
    networks: Sequence[str]
    volumes: frozenset[str] = frozenset()
    ports: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Network:
    """One overlay network. Its name in Docker, which Prometheus's configuration has, differs from its resource's."""

    name: str
    docker_name: str
    subnet: IPv4Network
    encrypted: bool = False
    internal: bool = False


@dataclass(frozen=True, kw_only=True)
class Topology:
    """The whole cluster, placed on its hosts.

    `index_hosts` have a PostgreSQL each, and `voting_hosts` a member of every service that decides by majority.
    `voters` are those and one that is gone: without it, the other two still are the majority of three.
    `consoles` maps a port of every host to the "SERVICE:PORT" that the edge shows there. At `statistics_port` it shows
    its own statistics.
    """

    services: Mapping[str, Service]
    networks: Sequence[Network]
    index_hosts: Sequence[str]
    voting_hosts: Sequence[str]
    voters: Sequence[str]
    consoles: Mapping[int, str]
    statistics_port: int | None


def plan(settings: Settings, *, stack: str) -> Plan:
    """Return what is asked of the hosts before it is known which of them hold data."""
    managers = [host.name for host in settings.managers]
    return Plan(
        stack=stack,
        managers=managers,
        networks=named_networks(settings),
        data=_data(settings),
        ports=list(_ports(settings)),
        registry=_login(settings),
    )


def named_networks(settings: Settings) -> NamedNetworks:
    """Return the networks that the settings name, used or not."""
    subnets = {f"network.{name}": value for name, value in settings.network if isinstance(value, IPv4Network)}
    pool = subnets.pop("network.pool", None)
    return NamedNetworks(private_cidr=settings.private_cidr, subnets=subnets, pool=pool, mtu=settings.network.mtu)


def new_data(settings: Settings) -> dict[str, Sequence[str]]:
    """Return the names of the hosts of each kind of data if no host has any yet."""
    hosts: dict[str, Sequence[str]] = {}
    for data in _data(settings):
        if isinstance(data, CopiedData):
            hosts[data.kind] = data.chosen or data.default
        else:
            hosts[data.kind] = [data.chosen or data.default]
    return hosts


def describe(settings: Settings, holders: Mapping[str, Sequence[str]]) -> Topology:
    """Return the cluster on the hosts that hold its data: `holders` are the names of the hosts of each kind."""
    hosts = [host.name for host in settings.present_hosts]
    services = [
        _files(settings, holders),
        *_storage(settings, holders),
        Service(
            name="edge",
            tasks=len(hosts),
            hosts=hosts,
            networks=[CLUSTER_NET, FILES_NET],
            ports=_ports_of("edge", settings),
        ),
        *_monitoring(settings, host=holders[MONITORING][0]),
        *_backup(settings, host=holders[MONITORING][0]),
    ]
    return Topology(
        services={service.name: service for service in services},
        networks=_networks(settings),
        index_hosts=holders.get(INDEX, []),
        voting_hosts=_voting_hosts(settings),
        voters=_voters(settings),
        consoles={port: f"{name}:{port}" for name, port in _CONSOLES.items() if name in settings.monitoring.publish},
        statistics_port=_STATISTICS["edge"] if "edge" in settings.monitoring.publish else None,
    )


def monitoring_ports(settings: Settings) -> dict[str, int]:
    """Return the hosts' ports of the monitoring services that are published, by the service's name."""
    published = settings.monitoring.publish
    databases = {influxdb.service_name(database): port for database, port in DATABASES.items()}
    return {
        **{name: port for name, port in {**_CONSOLES, **_STATISTICS}.items() if name in published},
        **(databases if "influxdb" in published else {}),
    }


def _login(settings: Settings) -> Login | None:
    registry = settings.registry
    if registry is None:
        return None
    return Login(address=registry.address, username=registry.username, password=registry.password.get_secret_value())


def _files(settings: Settings, holders: Mapping[str, Sequence[str]]) -> Service:
    replicas = settings.file_service.replicas
    if settings.file_service.storage == "directory":
        return _one("files", holders[FILES][0], networks=[FILES_NET], tasks=replicas)
    hosts = [host.name for host in settings.present_hosts]
    store = STORAGE_NET if settings.file_service.storage == "cluster" else OUTSIDE_NET
    return Service(name="files", tasks=replicas, hosts=hosts, networks=[FILES_NET, INDEX_NET, store])


def _storage(settings: Settings, holders: Mapping[str, Sequence[str]]) -> Iterator[Service]:
    if settings.file_service.storage == "directory":
        return
    for host in _voting_hosts(settings):
        yield _one(etcd_member.service_name(host), host, networks=[INDEX_NET])
    for host in holders[INDEX]:
        yield _one(patroni.service_name(host), host, networks=[INDEX_NET])
    if settings.file_service.storage == "s3":
        return
    for host in _voting_hosts(settings):
        yield _one(seaweedfs.master_name(host), host, networks=[STORAGE_NET])
    server = seaweedfs.VOLUME_SERVER
    hosts = [host.name for host in settings.present_hosts]
    yield Service(name=server, tasks=len(hosts), hosts=hosts, networks=[STORAGE_NET], volumes=frozenset({server}))


def _monitoring(settings: Settings, *, host: str) -> Iterator[Service]:
    """Yield the monitoring services; those with data are on this host."""
    everywhere = [each.name for each in settings.present_hosts]
    managers = [manager.name for manager in settings.managers]
    for name, network in (("node-exporter", METRICS_NET), ("cadvisor", METRICS_NET), ("container-api", API_NET)):
        yield Service(name=name, tasks=len(everywhere), hosts=everywhere, networks=[network])
    yield Service(name="docker-api", tasks=len(managers), hosts=managers, networks=[API_NET])
    for database in map(influxdb.service_name, DATABASES):
        yield _one(database, host, networks=[CLUSTER_NET], ports=_ports_of(database, settings))
    yield _one("alertmanager", host, networks=[CLUSTER_NET])
    scraped = [network.name for network in _networks(settings) if network.name != OUTSIDE_NET]
    yield _one("prometheus", host, networks=scraped, volume=prometheus.data_volume("prometheus"))
    if settings.monitoring.grafana:
        yield Service(name="grafana", tasks=1, hosts=[host], networks=[CLUSTER_NET])


def _backup(settings: Settings, *, host: str) -> Iterator[Service]:
    """Yield the service that makes the backups, if there is one: on this host unless the settings name another."""
    if settings.backup:
        store = STORAGE_NET if settings.file_service.storage == "cluster" else OUTSIDE_NET
        yield Service(
            name=backup.SERVICE,
            tasks=1,
            hosts=[settings.backup.host or host],
            networks=[CLUSTER_NET, INDEX_NET, store],
        )


def _one(
    name: str,
    host: str,
    *,
    networks: Sequence[str],
    tasks: int = 1,
    volume: str = "",
    ports: Mapping[int, int] | None = None,
) -> Service:
    """Return a service that runs only where its data is, in a volume with its name unless another is given."""
    return Service(
        name=name, tasks=tasks, hosts=[host], networks=networks, volumes=frozenset({volume or name}), ports=ports or {}
    )


def _networks(settings: Settings) -> list[Network]:
    """Return the networks that this kind of storage needs. What nobody has to leave is internal."""
    wanted = settings.network
    used = {
        "directory": {CLUSTER_NET, FILES_NET, METRICS_NET, API_NET},
        "cluster": {CLUSTER_NET, FILES_NET, METRICS_NET, API_NET, INDEX_NET, STORAGE_NET},
        "s3": {CLUSTER_NET, FILES_NET, METRICS_NET, API_NET, INDEX_NET, OUTSIDE_NET},
    }[settings.file_service.storage]
    return [
        Network(name=name, docker_name=docker_name, subnet=subnet, encrypted=encrypted, internal=internal)
        for name, docker_name, subnet, encrypted, internal in (
            (CLUSTER_NET, "ClusterNet", wanted.subnet, wanted.encrypted, False),
            (FILES_NET, "FilesNet", wanted.files_subnet, wanted.encrypted, True),
            (METRICS_NET, "MetricsNet", wanted.metrics_subnet, wanted.encrypted, True),
            (INDEX_NET, "IndexNet", wanted.index_subnet, wanted.encrypted, True),
            (STORAGE_NET, "StorageNet", wanted.storage_subnet, wanted.encrypted, True),
            (OUTSIDE_NET, "OutsideNet", wanted.outside_subnet, wanted.encrypted, False),
            (API_NET, "DockerApiNet", wanted.api_subnet, False, True),
        )
        if name in used
    ]


def _voters(settings: Settings) -> Sequence[str]:
    """Return the members of what decides by majority. Who replaces one of three that is gone is not known yet."""
    declared = voters([host for host in settings.hosts if host.role == "manager"])
    if 2 * sum(host in settings.managers for host in declared) > len(declared):
        return [host.name for host in declared]
    return voters([host.name for host in settings.managers])


def _voting_hosts(settings: Settings) -> Sequence[str]:
    """Return the voters that are not gone."""
    present = {host.name for host in settings.managers}
    return [name for name in _voters(settings) if name in present]


def _data(settings: Settings) -> list[Data | CopiedData]:
    """Return the kinds of data that do not live on every host."""
    wanted = settings.file_service
    managers = [host.name for host in settings.managers]
    first = managers[0]
    metrics = Data(
        kind=MONITORING,
        volumes=frozenset().union(*(service.volumes for service in _monitoring(settings, host=first))),
        setting="monitoring.host",
        chosen=settings.monitoring.host,
        default=first,
    )
    if wanted.storage == "directory":
        files = Data(
            kind=FILES,
            volumes=_files(settings, {FILES: [first]}).volumes,
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


def _ports(settings: Settings) -> Iterator[PublishedPort]:
    """Yield every port that is published on a host."""
    edge = settings.edge_port
    yield PublishedPort(
        number=edge, target=edge, service="edge", setting="edge_port", alternative="set another edge_port"
    )
    for name, port in monitoring_ports(settings).items():
        by_edge = name in _CONSOLES or name in _STATISTICS
        yield PublishedPort(
            number=port,
            target=port if by_edge else influxdb.PORT,
            service="edge" if by_edge else name,
            setting="monitoring.publish",
            alternative=f"remove {name if by_edge else 'influxdb'} from monitoring.publish",
            data_kind=None if by_edge else MONITORING,
        )


def _ports_of(service: str, settings: Settings) -> dict[int, int]:
    return {port.number: port.target for port in _ports(settings) if port.service == service}
