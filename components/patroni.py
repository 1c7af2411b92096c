"""The hosts, names, addresses and certificates of PostgreSQL, and Patroni's configuration, as text.

Patroni makes one PostgreSQL the primary and the others its standbys, and promotes a standby when the primary is gone.
"""

import json
from collections.abc import Collection, Sequence
from typing import Any, TypeVar

import yaml

from . import etcd_member, identities
from .identities import Identity
from .mounts import SECRETS

T = TypeVar("T")

POSTGRES_PORT = 5432
API_PORT = 8008
SERVICE = "postgres"
"""The beginning of every member's service name."""

MAJOR = 17
"""The major version of PostgreSQL in the packages of `DEBIAN` in components/images.py. The index's data is of this
version, so change the two together, as docs/operations/data.md says."""

_SCOPE = "file-transfer"
"""The beginning of the cluster's name in etcd."""

DATA = "/var/lib/postgresql"
CONFIG = "/etc/patroni/patroni.yml"
SHARED_CONFIG = "/etc/patroni/shared.json"
IDENTITY_FILE, AUTHORITY_FILE = "identity.pem", "authority.pem"
ETCD_CLIENT_FILE, ETCD_AUTHORITY_FILE = "etcd-client.pem", "etcd-authority.pem"

_FIRST_MAJOR = 17
"""The version whose clusters are called `_SCOPE`, without a number."""
_HOSTS = 2
_HOSTS_OF_THREE_MANAGERS = 3
_AUTHORITY = "postgres"
_IDENTITY_PATH = f"{SECRETS}/{IDENTITY_FILE}"
AUTHORITY_PATH = f"{SECRETS}/{AUTHORITY_FILE}"
_SCRIPTS = "/opt/postgres"
_RESERVED_CONNECTIONS = 16  # Patroni, its standbys' base backups, rewinds, the administrator


def identity(seed: str, service: str) -> Identity:
    """Return the certificate of the service of this name, by which PostgreSQL and Patroni are known to their clients.

    Patroni shows it to the other hosts' Patroni, too, when it gives them an order.
    """
    return identities.identity(seed, authority=_AUTHORITY, name=service, hosts=(service, "localhost"))


def authority(seed: str) -> str:
    """Return the certificate by which a client knows that it speaks with one of these PostgreSQLs."""
    return identities.authority(seed, _AUTHORITY)


def shared_config(*, standbys: int, connections: int) -> str:
    """Return the settings that Patroni keeps in etcd for all hosts, as JSON.

    `standbys` is the number of hosts without the primary, `connections` how many the file service may need in all.
    With a standby, a change is acknowledged only when a standby shows it to readers and has it on its disk. While
    the primary is alone, nothing is acknowledged.
    """
    return json.dumps(_shared(standbys=standbys, connections=connections), indent=2)


def config(*, standbys: int, connections: int) -> str:
    """Return the settings of each host's Patroni, as YAML.

    The passwords and what differs between hosts are in the environment.
    """
    document = {
        "scope": scope(MAJOR),
        "log": {"level": "INFO", "deduplicate_heartbeat_logs": True},
        "watchdog": {"mode": "off"},  # a container has none
        # Everybody may ask; only who has a certificate may change anything.
        "restapi": {
            "listen": f"0.0.0.0:{API_PORT}",
            "certfile": _IDENTITY_PATH,
            "keyfile": _IDENTITY_PATH,
            "cafile": AUTHORITY_PATH,
            "verify_client": "optional",
        },
        "ctl": {"cacert": AUTHORITY_PATH, "certfile": _IDENTITY_PATH, "keyfile": _IDENTITY_PATH},
        # In `hosts`, unlike in `host`, a name is resolved again when no member answers. A new task has a new address.
        "etcd3": {
            "hosts": [f"{etcd_member.NAME}:{etcd_member.CLIENT_PORT}"],
            "protocol": "https",
            "cacert": f"{SECRETS}/{ETCD_AUTHORITY_FILE}",
            "cert": f"{SECRETS}/{ETCD_CLIENT_FILE}",
            "key": f"{SECRETS}/{ETCD_CLIENT_FILE}",
        },
        "bootstrap": {
            "dcs": _shared(standbys=standbys, connections=connections),
        },
        "postgresql": {
            "listen": f"0.0.0.0:{POSTGRES_PORT}",
            "data_dir": f"{DATA}/data",
            "bin_dir": f"/usr/lib/postgresql/{MAJOR}/bin",
            "bin_name": {"initdb": f"{_SCRIPTS}/initdb.sh"},
            "pgpass": "/tmp/pgpass",  # noqa: S108 - a path in the container, where only one user is
            "use_unix_socket": True,
            "basebackup": [{"checkpoint": "fast"}],
            # Patroni itself needs no password, so it can set the others' passwords when the secret has changed.
            "pg_hba": [
                "local all patroni peer",
                "hostssl replication replicator all scram-sha-256",
                "hostssl postgres rewinder all scram-sha-256",
                "hostssl file_transfer file_transfer all scram-sha-256",
            ],
            "authentication": {
                user: {"sslmode": "verify-full", "sslrootcert": AUTHORITY_PATH} for user in ("replication", "rewind")
            },
            "callbacks": dict.fromkeys(("on_start", "on_role_change"), f"{_SCRIPTS}/set_roles.sh"),
            # A primary that was cut off may have changes that were never acknowledged. It discards them, and follows
            # the new primary by itself.
            "remove_data_directory_on_rewind_failure": True,
            "remove_data_directory_on_diverged_timelines": True,
        },
    }
    return yaml.safe_dump(document, sort_keys=False)


def scope(major: int) -> str:
    """Return the name of the cluster in etcd.

    New data of another major version is another cluster. Each version finds what it knew in etcd, whatever the other
    has done, and no host copies or follows the other version's data.
    """
    return _SCOPE if major == _FIRST_MAJOR else f"{_SCOPE}-{major}"


def environment(service: str, services: Collection[str]) -> dict[str, str]:
    """Return the environment of the service of this name, one of `services`: its addresses and the others' names."""
    return {
        "POSTGRES_PEERS": " ".join(other for other in services if other != service),
        "PATRONI_NAME": service,
        "PATRONI_RESTAPI_CONNECT_ADDRESS": f"{service}:{API_PORT}",
        "PATRONI_POSTGRESQL_CONNECT_ADDRESS": f"{service}:{POSTGRES_PORT}",
    }


def service_name(host: str) -> str:
    """Return the name of the PostgreSQL on this host; its service and its volume have the same one."""
    return f"{SERVICE}-{host}"


def addresses(hosts: Sequence[str]) -> str:
    """Return the addresses of the PostgreSQLs on these hosts, as the file service takes them."""
    return ",".join(f"{service_name(host)}:{POSTGRES_PORT}" for host in hosts)


def default_hosts(managers: Sequence[T], workers: Sequence[T]) -> Sequence[T]:
    """Return the hosts that run a PostgreSQL: three managers, or the first manager and one other host if there is one.

    With three managers, any one host may fail, and the others go on by themselves.
    """
    if len(managers) >= _HOSTS_OF_THREE_MANAGERS:
        return managers[:_HOSTS_OF_THREE_MANAGERS]
    return [*managers, *workers][:_HOSTS]


def _shared(*, standbys: int, connections: int) -> dict[str, Any]:
    return {
        # A standby takes over when the primary has not renewed its lock for `ttl` seconds, the least that Patroni
        # allows. A container that is replaced is back before that.
        "ttl": 20,
        "loop_wait": 3,
        "retry_timeout": 5,
        "primary_start_timeout": 60,
        "member_slots_ttl": "24h",
        "synchronous_mode": standbys > 0,
        "synchronous_mode_strict": standbys > 0,
        # Without etcd, a primary goes on as long as all standbys agree that it is the primary.
        "failsafe_mode": True,
        "postgresql": {
            "use_pg_rewind": True,
            "use_slots": True,
            "parameters": _parameters(connections),
        },
    }


def _parameters(connections: int) -> dict[str, Any]:
    return {
        "max_connections": connections + _RESERVED_CONNECTIONS,
        "password_encryption": "scram-sha-256",
        "ssl": True,
        "ssl_cert_file": _IDENTITY_PATH,
        "ssl_key_file": _IDENTITY_PATH,
        "ssl_min_protocol_version": "TLSv1.3",
        "unix_socket_directories": "/tmp",  # noqa: S108 - a path in the container
        "timezone": "UTC",
        # Durability: a commit returns when a standby has it on its disk and shows it to readers.
        "synchronous_commit": "remote_apply",
        "wal_log_hints": True,
        # A host that is cut off must be noticed within seconds.
        "wal_sender_timeout": "5s",
        "wal_receiver_timeout": "5s",
        "wal_receiver_status_interval": "1s",
        "wal_retrieve_retry_interval": "1s",
        "tcp_keepalives_idle": 5,
        "tcp_keepalives_interval": 2,
        "tcp_keepalives_count": 3,
        "tcp_user_timeout": "10s",
        "idle_in_transaction_session_timeout": "60s",
        # A reader on the standby must not hold up commits, which wait until the standby shows them.
        "hot_standby_feedback": True,
        "max_standby_streaming_delay": "1s",
        # WAL that is kept for a standby that is away. One that missed more is copied anew.
        "wal_keep_size": "64MB",
        "max_slot_wal_keep_size": "2GB",
        "max_wal_size": "512MB",
        "min_wal_size": "64MB",
        # Memory: the task's limit is small, and every statement of the file service is short.
        "shared_buffers": "24MB",
        "work_mem": "2MB",
        "maintenance_work_mem": "16MB",
        "autovacuum_max_workers": 1,
        "max_worker_processes": 2,
        "max_parallel_workers": 0,
        "max_parallel_workers_per_gather": 0,
        "jit": False,
    }
