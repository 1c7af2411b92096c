"""The names, addresses and command line of etcd's members."""

NAME = "etcd"
"""The DNS name of all members together."""

CLIENT_PORT = 2379
METRICS_PORT = 2381
DATA = "/data"

_PEER_PORT = 2380


def service_name(host: str) -> str:
    """Return the name of the member on this host; its service and its volume have the same one."""
    return f"etcd-{host}"


def command(member: str, *, first: bool) -> list[str]:
    """Return the command line of the member of this name, which makes a new cluster if it is the first and finds none.

    The command line does not name the other members. They may change, and a new one joins the cluster that it finds.
    """
    return [
        "sh", "/opt/postgres/start_etcd.sh", member, "new" if first else "join",
        f"--listen-client-urls=http://0.0.0.0:{CLIENT_PORT}", f"--advertise-client-urls=http://{member}:{CLIENT_PORT}",
        f"--listen-peer-urls=http://0.0.0.0:{_PEER_PORT}", f"--initial-advertise-peer-urls=http://{member}:{_PEER_PORT}",
        f"--listen-metrics-urls=http://0.0.0.0:{METRICS_PORT}",
        # Patroni writes every few seconds, and only the last value matters.
        "--auto-compaction-mode=periodic", "--auto-compaction-retention=1h", f"--quota-backend-bytes={64 * 2**20}",
        # On a busy host, the default of 1 s makes the members elect a new leader for no reason. A higher value makes
        # the failover of PostgreSQL slower: a new leader gives the lock of a lost primary its whole time again.
        "--election-timeout=1500",
        "--log-level=warn",
    ]  # fmt: skip
