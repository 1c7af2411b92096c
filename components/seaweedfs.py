"""The command lines and configuration files of SeaweedFS's programs, as text.

Masters know which volume server has which SeaweedFS volume. Volume servers store the data.

Masters and volume servers command each other by gRPC, and take commands only from each other: a connection needs a
certificate with one of their names. Replicas of the file service speak HTTP: to a master with a certificate, and to a
volume server with a signed token for each chunk. The masters cannot sign these tokens, so they have none to give away.
"""

import shlex
from collections.abc import Collection

from . import identities
from .identities import Identity
from .mounts import SECRETS

VOLUME_SERVER = "object-store-volume"
METRICS_PORT = 9327
VOLUME_PORT = 8080
DATA = "/data"
READ_BUFFER_MIB = 4
"""What a volume server reads at once. It compares a chunk's checksum only if the whole chunk fits into it."""

REPAIR = "/etc/seaweedfs/repair_volumes.sh"
"""The path of the script that repairs volumes whose last writes were interrupted."""

AUTHORITY = "object-store"
MASTER = "object-store-master"
"""The name of all masters in their certificate, by which replicas of the file service know them."""

REPLICA = "files"
SECURITY = "security.toml"
"""The name of the file that SeaweedFS reads its keys and the paths of its certificates from."""
IDENTITY_FILE = "identity.pem"
AUTHORITY_FILE = "authority.pem"


_SINGLE_MASTER_PORT = 9333
_MASTERS_PORT = 9334
"""A single master has another port than each of several. Otherwise, when one of three is to remain, the two others
would make it one of three again before they are removed. Without them, it could not lead."""

# By default, three masters that were one before never elect another leader when the first one is gone. They wait three
# seconds for their leader, and a new one lets nobody write for 15 s more.
_ELECTION = ["-raftHashicorp=true", "-electionTimeout=3s"]

_OWN_ADDRESS = """-ip="$(hostname -i | cut -d ' ' -f 1)\""""


def master_name(host: str) -> str:
    """Return the service name of the master on this host."""
    return f"{MASTER}-{host}"


def identity(seed: str, name: str, *, hosts: Collection[str] = ()) -> Identity:
    """Return the certificate of a program of this name, which is reached by these host names."""
    return identities.identity(seed, authority=AUTHORITY, name=name, hosts=hosts)


def write_key(seed: str) -> str:
    """Return the key of the tokens for writing and deleting chunks."""
    return identities.signing_key(seed, f"{AUTHORITY} write")


def read_key(seed: str) -> str:
    """Return the key of the tokens for reading chunks."""
    return identities.signing_key(seed, f"{AUTHORITY} read")


def master_security(folder: str = SECRETS) -> str:
    """Return the masters' security.toml, with the paths of the PEM files in the folder.

    `https.client` is for requests that a master passes on to the leader, and `grpc.client` for an operator's shell.
    """
    files = _pem_files(folder)
    return f"""{_grpc("master", folder)}
[grpc.client]
{files}
[https.master]
{files}ca = "{folder}/{AUTHORITY_FILE}"

[https.client]
enabled = true
{files}ca = "{folder}/{AUTHORITY_FILE}"
"""


def volume_server_security(*, write_key: str, read_key: str, folder: str = SECRETS) -> str:
    """Return the volume servers' security.toml, with these keys and the paths of the PEM files in the folder."""
    return f"""{_grpc("volume", folder)}
[jwt.signing]
key = "{write_key}"

[jwt.signing.read]
key = "{read_key}"
"""


def replication(copies: int) -> str:
    """Return SeaweedFS's replication code for this many copies, each on a different volume server."""
    return f"00{copies - 1}"


def master_config() -> str:
    """Return the masters' configuration: every minute, volumes with too few copies are copied again."""
    return """[master.maintenance]
scripts = \"\"\"
  lock
  volume.fix.replication -apply
  volume.deleteEmpty -quietFor=24h -apply
  unlock
\"\"\"
sleep_minutes = 1

[master.volume_growth]
copy_1 = 3
copy_2 = 3
copy_3 = 3
"""


def master_command(name: str, masters: Collection[str], copies: int) -> list[str]:
    """Return the command line of the master of this name, one of `masters`."""
    command = [
        "weed", "-logtostderr=true", "master", f"-ip={name}", "-ip.bind=0.0.0.0", f"-port={_port(masters)}",
        f"-mdir={DATA}", *([f"-peers={addresses(masters)}", *_ELECTION] if len(masters) > 1 else ["-peers=none"]),
        f"-defaultReplication={replication(copies)}", "-volumeSizeLimitMB=1024", "-telemetry=false",
        f"-metricsPort={METRICS_PORT}",
    ]  # fmt: skip
    if len(masters) > 1:
        return command
    # If there are several again, they must not remember who the others once were.
    return ["sh", "-c", f"rm -rf {DATA}/m{_MASTERS_PORT} && exec {shlex.join(command)}"]


def volume_server_command(masters: Collection[str]) -> list[str]:
    """Return a volume server's command line.

    Its address is its task's, which changes. Its id is the node's, which stays the same. Its public address is the
    node's id, too: by it, a replica of the file service recognises the volume server on its own node.

    Its index is in memory and takes 16 bytes per stored object. An index in LevelDB only estimates the number of
    deletions (with a Bloom filter), and SeaweedFS discards a new copy whose estimate differs from the first copy's
    count, so repair would never end. It answers only for chunks that it has itself: the file service asks for copies
    elsewhere on its own. It compares the checksum of what it reads, as long as the largest chunk fits into its buffer.

    Before it starts, volumes whose last writes were interrupted are repaired. If that fails, it starts all the same,
    and writes to other volumes.
    """
    arguments = [
        "-ip.bind=0.0.0.0", f"-port={VOLUME_PORT}", f"-dir={DATA}", "-max=0", f"-master={addresses(masters)}",
        "-index=memory", "-readMode=local", "-minFreeSpace=1GiB", "-preStopSeconds=1",
        "-concurrentDownloadLimitMB=16", f"-readBufferSizeMB={READ_BUFFER_MIB}", f"-metricsPort={METRICS_PORT}",
    ]  # fmt: skip
    program = f"weed -logtostderr=true -config_dir={SECRETS} volume"
    server = f'{program} {_OWN_ADDRESS} -id="$NODE_ID" -publicUrl="$NODE_ID" {" ".join(arguments)}'
    return ["sh", "-c", f"sh {REPAIR} {DATA}; exec {server}"]


def _grpc(program: str, folder: str) -> str:
    return f"""[grpc]
ca = "{folder}/{AUTHORITY_FILE}"

[grpc.{program}]
{_pem_files(folder)}allowed_commonNames = "{MASTER},{VOLUME_SERVER}"
"""


def _pem_files(folder: str) -> str:
    return f'cert = "{folder}/{IDENTITY_FILE}"\nkey = "{folder}/{IDENTITY_FILE}"\n'


def addresses(masters: Collection[str]) -> str:
    """Return the addresses of the masters of these names, separated by commas."""
    return ",".join(f"{master}:{_port(masters)}" for master in masters)


def _port(masters: Collection[str]) -> int:
    return _MASTERS_PORT if len(masters) > 1 else _SINGLE_MASTER_PORT
