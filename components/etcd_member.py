"""The names, addresses, certificates and command line of etcd's members.

Members and clients speak with each other by TLS only, and each proves with a certificate that it belongs here. A member
has two: by one it is known to clients and to the other members, and with the other one it is a client itself. etcd
refuses a client whose certificate has host names that do not lead to its address. Swarm gives a task no name before it
is healthy, so a client's certificate has none.
"""

from . import identities
from .identities import Identity
from .mounts import SECRETS

NAME = "etcd"
"""The DNS name of all members together."""

CLIENT_PORT = 2379
METRICS_PORT = 2381
DATA = "/data"

IDENTITY_FILE, CLIENT_FILE, AUTHORITY_FILE = "identity.pem", "client.pem", "authority.pem"

_AUTHORITY = "etcd"
_PEER_PORT = 2380


def service_name(host: str) -> str:
    """Return the name of the member on this host; its service and its volume have the same one."""
    return f"etcd-{host}"


def member_identity(seed: str, member: str) -> Identity:
    """Return the certificate of the member of this name."""
    return identities.identity(seed, authority=_AUTHORITY, name=NAME, hosts=(NAME, member, "localhost"))


def client_identity(seed: str) -> Identity:
    """Return the certificate of a client."""
    return identities.identity(seed, authority=_AUTHORITY, name="client")


def command(member: str, *, first: bool) -> list[str]:
    """Return the command line of the member of this name, which makes a new cluster if it is the first and finds none.

    The command line does not name the other members. They may change, and a new one joins the cluster that it finds.
    """
    identity, client, authority = (f"{SECRETS}/{name}" for name in (IDENTITY_FILE, CLIENT_FILE, AUTHORITY_FILE))
    return [
        "sh", "/opt/postgres/start_etcd.sh", member, "new" if first else "join",
        f"--listen-client-urls=https://0.0.0.0:{CLIENT_PORT}",
        f"--advertise-client-urls=https://{member}:{CLIENT_PORT}",
        "--client-cert-auth", f"--trusted-ca-file={authority}", f"--cert-file={identity}", f"--key-file={identity}",
        # With this one, etcd asks itself what comes by HTTP.
        f"--client-cert-file={client}", f"--client-key-file={client}",
        f"--listen-peer-urls=https://0.0.0.0:{_PEER_PORT}",
        f"--initial-advertise-peer-urls=https://{member}:{_PEER_PORT}",
        "--peer-client-cert-auth", f"--peer-trusted-ca-file={authority}", f"--peer-cert-file={identity}",
        f"--peer-key-file={identity}", f"--peer-cert-allowed-cn={NAME}",
        "--experimental-peer-skip-client-san-verification",  # a new member has no name yet
        f"--listen-metrics-urls=http://0.0.0.0:{METRICS_PORT}",
        # Patroni writes every few seconds, and only the last value matters.
        "--auto-compaction-mode=periodic", "--auto-compaction-retention=1h", f"--quota-backend-bytes={64 * 2**20}",
        # On a busy host, the default of 1 s makes the members elect a new leader for no reason. A higher value makes
        # the failover of PostgreSQL slower: a new leader gives the lock of a lost primary its whole time again.
        "--election-timeout=1500",
        "--log-level=warn",
    ]  # fmt: skip
