"""InfluxDB, the time-series database of one kind of metrics. It is used twice: for the VMs and for the containers."""

from dataclasses import dataclass

import pulumi

from . import users
from .endpoint import Endpoint
from .host import Host
from .overlay import OverlayNetwork
from .shell import FOLDER
from .single_writer import single_writer_service
from .swarm import SwarmCluster
from .swarm_file import SwarmFile, SwarmFileArgs, SwarmSecret, SwarmSecretArgs
from .swarm_service import Healthcheck, Resources, SwarmServiceArgs

PORT = 8086
"""The port on which the database listens in its container."""

WRITER = "writer"
READER = "reader"

_DATA = "/var/lib/influxdb"
_START = "/start.sh"
_SCRIPT = FOLDER / "start_influxdb.sh"


@dataclass(frozen=True, kw_only=True)
class InfluxDbArgs:
    """`retention` is an InfluxDB duration such as "30d"."""

    cluster: SwarmCluster
    network: OverlayNetwork
    host: Host
    image: str
    database: str
    retention: str
    writer_password: pulumi.Output[str]
    reader_password: pulumi.Output[str]


class InfluxDb(pulumi.ComponentResource):
    """Runs InfluxDB 1.x with one database and two users, a writer and a reader. Every request needs a password.

    The database, its retention policy and the users exist before InfluxDB answers on its port: the start script creates
    them first. It also sets a new random administrator's password at every start, which it does not store anywhere.
    """

    ready: pulumi.Output[str]
    endpoint: Endpoint

    def __init__(self, name: str, args: InfluxDbArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("swarm:influxdb:InfluxDb", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        uid = users.INFLUXDB[args.database]
        start = SwarmFile(
            f"{name}-start",
            SwarmFileArgs(cluster=args.cluster, content=_SCRIPT.read_text(), path=_START),
            opts=child,
        )
        secrets = [
            SwarmSecret(
                f"{name}-{user}",
                SwarmSecretArgs(cluster=args.cluster, content=password, file_name=user, uid=uid),
                opts=child,
            )
            for user, password in ((WRITER, args.writer_password), (READER, args.reader_password))
        ]
        service = single_writer_service(
            name,
            SwarmServiceArgs(
                cluster=args.cluster,
                networks=[args.network],
                image=args.image,
                user=users.alone(uid),
                command=["sh", _START],
                environment=environment(database=args.database, retention=args.retention),
                files=[start],
                secrets=secrets,
                tmpfs={"/tmp": 16},  # noqa: S108 - a path in the container
                healthcheck=Healthcheck(
                    command=["curl", "-fsS", "-o", "/dev/null", f"http://127.0.0.1:{PORT}/ping"], start_period=120
                ),
                resources=Resources(cpus=1.0, memory=512, reserved_cpus=0.1, reserved_memory=128),
                stop_grace=60,
            ),
            host=args.host,
            data=_DATA,
            parent=self,
        )
        self.ready = service.ready
        self.endpoint = Endpoint(service=name, port=PORT, ready=service.ready)
        self.register_outputs({"ready": self.ready})


def service_name(database: str) -> str:
    """Return the name of the service that has this database; its volume has the same one."""
    return f"influxdb-{database}"


def environment(*, database: str, retention: str) -> dict[str, str]:
    """Return the environment with InfluxDB's settings and the start script's; there is no configuration file."""
    return {
        "START_DATABASE": database,
        "START_RETENTION": retention,
        "INFLUXDB_REPORTING_DISABLED": "true",
        "INFLUXDB_META_DIR": f"{_DATA}/meta",
        "INFLUXDB_DATA_DIR": f"{_DATA}/data",
        "INFLUXDB_DATA_WAL_DIR": f"{_DATA}/wal",
        # The default index is in memory and grows with every series that ever existed.
        "INFLUXDB_DATA_INDEX_VERSION": "tsi1",
        "INFLUXDB_DATA_QUERY_LOG_ENABLED": "false",
        "INFLUXDB_HTTP_AUTH_ENABLED": "true",
        "INFLUXDB_HTTP_BIND_ADDRESS": f":{PORT}",
        "INFLUXDB_HTTP_LOG_ENABLED": "false",
        # Profiles show what is in memory. With a password for them, /debug/vars asks for one too, in InfluxDB 1.8.
        "INFLUXDB_HTTP_PPROF_ENABLED": "false",
        "INFLUXDB_HTTP_PPROF_AUTH_ENABLED": "true",
        "INFLUXDB_MONITOR_STORE_ENABLED": "false",
        "INFLUXDB_LOGGING_LEVEL": "warn",
    }
