"""The names, addresses and command line of etcd's members."""

from collections.abc import Collection, Sequence

METRICS_PORT = 2381
DATA = "/data"

_CLIENT_PORT = 2379
_PEER_PORT = 2380


def service_name(host: str) -> str:
    """Return the name of the member on this host; its service and its volume have the same one."""
    return f"etcd-{host}"


def endpoints(hosts: Sequence[str]) -> list[str]:
    """Return the addresses at which the members on these hosts answer their clients."""
    return [f"{service_name(host)}:{_CLIENT_PORT}" for host in hosts]


def command(member: str, members: Collection[str]) -> list[str]:
    """Return the command line of the member of this name, one of `members`."""
    return [
        "etcd", f"--name={member}", f"--data-dir={DATA}/etcd",
        f"--listen-client-urls=http://0.0.0.0:{_CLIENT_PORT}", f"--advertise-client-urls=http://{member}:{_CLIENT_PORT}",
        f"--listen-peer-urls=http://0.0.0.0:{_PEER_PORT}", f"--initial-advertise-peer-urls=http://{member}:{_PEER_PORT}",
        f"--initial-cluster={','.join(f'{name}=http://{name}:{_PEER_PORT}' for name in members)}",
        f"--listen-metrics-urls=http://0.0.0.0:{METRICS_PORT}",
        # Patroni writes every few seconds, and only the last value matters.
        "--auto-compaction-mode=periodic", "--auto-compaction-retention=1h", f"--quota-backend-bytes={64 * 2**20}",
        # On a busy host, the defaults (100 ms and 1 s) make the members elect a new leader for no reason.
        "--heartbeat-interval=250", "--election-timeout=2500",
        "--log-level=warn",
    ]  # fmt: skip
