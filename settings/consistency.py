"""Checks that the settings agree with each other, once each is valid by itself.

Every error begins with the setting's path, and names the value and the remedy.
"""

from components.edge_config import drain_seconds
from components.firewall_rules import HOSTS_TCP
from settings import addresses, topology
from settings.errors import secret_remedy
from settings.models import Settings

_NO_MAJORITY_WITHOUT_BOTH = 2


def check(settings: Settings) -> None:
    """Check what several settings must agree on.

    Raises:
        ValueError: two settings contradict each other, or one that another one needs is missing.
    """
    _check_host_addresses(settings)
    addresses.check(settings)
    _check_grace(settings)
    _check_managers(settings)
    _check_ports(settings)
    _check_storage(settings)
    _check_backup(settings)
    _check_host_names(settings)


def _check_host_addresses(settings: Settings) -> None:
    for host in settings.hosts:
        if host.address not in settings.private_cidr:
            raise ValueError(
                f'hosts: address "{host.address}" of "{host.name}" is outside private_cidr '
                f'"{settings.private_cidr}": change the address or private_cidr'
            )


def _check_grace(settings: Settings) -> None:
    drain = drain_seconds(len(settings.present_hosts))
    if settings.file_service.grace <= drain:
        raise ValueError(
            f'file_service.grace: "{settings.file_service.grace}": with {len(settings.present_hosts)} hosts, a replica '
            f"that shuts down accepts requests for {drain} seconds, until every edge knows: set {drain + 1} or more"
        )


def _check_managers(settings: Settings) -> None:
    listed = [host for host in settings.hosts if host.role == "manager"]
    if len(listed) == len(settings.managers) == _NO_MAJORITY_WITHOUT_BOTH and not settings.replacing_manager:
        first, second = settings.managers
        raise ValueError(
            f'hosts: "{first.name}" and "{second.name}" are the managers: a swarm needs most of its managers, so it '
            "would stop if either of two were lost: make it one or three, or set replacing_manager to true until one "
            "has taken over from the other"
        )


def _check_storage(settings: Settings) -> None:
    wanted = settings.file_service
    if wanted.anonymous and settings.tokens is None:
        raise ValueError(
            f'file_service.anonymous: "{", ".join(wanted.anonymous)}": without tokens everybody may do everything '
            "already: set tokens, or remove it"
        )
    if wanted.storage == "cluster" and wanted.copies > len(settings.present_hosts):
        raise ValueError(
            f'file_service.copies: "{wanted.copies}": each copy needs its own host, '
            f"and there are {len(settings.present_hosts)} hosts: lower it, or add a host"
        )
    needed = {"cluster": ["postgres_password"], "s3": ["postgres_password", "storage_key"], "directory": []}
    for secret in needed[wanted.storage]:
        if getattr(settings, secret) is None:
            raise ValueError(
                f'{secret} is missing, and file_service.storage "{wanted.storage}" needs it: {secret_remedy(secret)}'
            )


def _check_backup(settings: Settings) -> None:
    if settings.backup is None:
        return
    host, storage_host = settings.backup.host, settings.file_service.storage_host
    if settings.file_service.storage == "directory" and host not in (None, storage_host):
        raise ValueError(
            f'backup.host: "{host}": with `storage: directory` the host with the directory makes the backups: '
            + (f'remove it, or set it to "{storage_host}"' if storage_host else "remove it")
        )
    for field in ("backup_password", *(("backup_storage_key",) if settings.backup.s3 else ())):
        if getattr(settings, field) is None:
            raise ValueError(f"{field} is missing, and backup needs it: {secret_remedy(field)}")


def _check_ports(settings: Settings) -> None:
    published = settings.monitoring.publish
    if "grafana" in published and not settings.monitoring.grafana:
        raise ValueError(
            'monitoring.publish: "grafana" does not run: set monitoring.grafana to true, or do not publish it'
        )
    for service, port in topology.monitoring_ports(settings).items():
        if port == settings.edge_port:
            raise ValueError(f'edge_port: "{port}" is the port of {service}, which is published: choose another port')
    for port in HOSTS_TCP:
        if settings.firewall and port in settings.firewall.ports:
            raise ValueError(
                f'firewall.ports: "{port}" is a port of Docker, which the other hosts reach and nobody else: remove it'
            )


def _check_host_names(settings: Settings) -> None:
    """Check the hosts that other settings name."""
    for field, name in (
        ("file_service.storage_host", settings.file_service.storage_host),
        *(("file_service.index_hosts", name) for name in settings.file_service.index_hosts or ()),
        ("monitoring.host", settings.monitoring.host),
        ("backup.host", settings.backup.host if settings.backup else None),
    ):
        if name is not None and name not in {host.name for host in settings.hosts}:
            raise ValueError(f'{field}: no host is named "{name}": use a name from hosts')
        if name in {host.name for host in settings.gone_hosts}:
            raise ValueError(f'{field}: "{name}" is gone: name another host, or remove the setting')
