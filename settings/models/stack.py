"""The settings of one stack as a whole."""

from collections.abc import Mapping
from ipaddress import IPv4Network
from typing import Annotated

from pydantic import Field

from components import certificate
from settings.models.backup import Backup
from settings.models.base import Model
from settings.models.edge import Certificate, EdgeLimits
from settings.models.file_service import FileService
from settings.models.firewall import Firewall
from settings.models.hosts import Host, Hosts, Ssh
from settings.models.images import Images, Registry
from settings.models.monitoring import Alerting, Monitoring
from settings.models.network import Network
from settings.models.passwords import Password
from settings.models.tokens import Token


class Settings(Model):
    """All settings of one stack."""

    private_cidr: IPv4Network
    hosts: Hosts
    ssh: Ssh
    operator_password: Password
    influxdb_writer_password: Password
    influxdb_reader_password: Password
    postgres_password: Password | None = None
    """The password of the index's database, which every `storage` except a directory needs."""
    storage_key: Password | None = None
    """The secret key of the bucket of `storage: s3`."""
    backup: Backup | None = None
    """Without it, no backups are made."""
    backup_password: Password | None = None
    """Encrypts the backups. Keep it elsewhere too: nobody can read a backup without it."""
    backup_storage_key: Password | None = None
    """The secret key of the bucket with the backups."""
    tokens: Mapping[str, Token] | None = None
    """Who may use the file service, by name; without it, everybody may."""
    network: Network = Network()
    file_service: FileService = FileService()
    monitoring: Monitoring = Monitoring()
    alerting: Alerting = Alerting()
    images: Images = Images()
    registry: Registry | None = None
    edge_port: Annotated[int, Field(ge=1, le=65535)] = 5001
    edge_limits: EdgeLimits = EdgeLimits()
    edge_certificate: Certificate | None = None
    """With it, the edge speaks TLS."""
    firewall: Firewall | None = None
    """Without it, every host lets in everything."""
    patience: Annotated[int, Field(ge=1, le=20)] = 1
    """A factor for slow hosts: of all times of the health checks by which Swarm kills tasks, of `ready_timeout`, and of
    the times after which a host counts as lost: for ssh, and for the swarm."""
    autolock: bool = False
    """Whether a manager whose Docker Engine has started again waits for `python -m operations.unlock`."""
    replacing_manager: bool = False
    """Whether two managers are accepted, for the time in which another manager takes over from the first."""
    ready_timeout: Annotated[int, Field(ge=1)] = 300
    """Seconds that `pulumi up` waits for a service to run as configured; more for one with many tasks."""

    @property
    def present_hosts(self) -> tuple[Host, ...]:
        """The hosts that are to be used: all but those that are gone."""
        return tuple(host for host in self.hosts if host.state == "active")

    @property
    def gone_hosts(self) -> tuple[Host, ...]:
        """The hosts that are lost for good and still on the list."""
        return tuple(host for host in self.hosts if host.state == "gone")

    @property
    def managers(self) -> tuple[Host, ...]:
        """The present hosts with role manager; the cluster is created and controlled on the first."""
        return tuple(host for host in self.present_hosts if host.role == "manager")

    @property
    def allowed_hosts(self) -> tuple[str, ...]:
        """All names by which clients may call the file service: those in the settings, and the certificate's."""
        pem = self.edge_certificate
        certified = certificate.host_names(pem.get_secret_value()) if pem else ()
        return tuple(sorted({*self.file_service.allowed_hosts, *certified}))
