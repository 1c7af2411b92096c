"""The command lines and configuration files of SeaweedFS's programs, as text.

Masters know which volume server has which SeaweedFS volume. Volume servers store the data.
"""

import shlex
from collections.abc import Collection

VOLUME_SERVER = "object-store-volume"
METRICS_PORT = 9327
VOLUME_PORT = 8080
DATA = "/data"
REPAIR = "/etc/seaweedfs/repair_volumes.sh"
"""The path of the script that repairs volumes whose last writes were interrupted."""


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
    return f"object-store-master-{host}"


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
    elsewhere on its own.

    Before it starts, volumes whose last writes were interrupted are repaired. If that fails, it starts all the same,
    and writes to other volumes.
    """
    arguments = [
        "-ip.bind=0.0.0.0", f"-port={VOLUME_PORT}", f"-dir={DATA}", "-max=0", f"-master={addresses(masters)}",
        "-index=memory", "-readMode=local", "-minFreeSpace=1GiB", "-preStopSeconds=1", "-concurrentUploadLimitMB=32",
        "-concurrentDownloadLimitMB=64", f"-metricsPort={METRICS_PORT}",
    ]  # fmt: skip
    server = f'weed -logtostderr=true volume {_OWN_ADDRESS} -id="$NODE_ID" -publicUrl="$NODE_ID" {" ".join(arguments)}'
    return ["sh", "-c", f"sh {REPAIR} {DATA}; exec {server}"]


def addresses(masters: Collection[str]) -> str:
    """Return the addresses of the masters of these names, separated by commas."""
    return ",".join(f"{master}:{_port(masters)}" for master in masters)


def _port(masters: Collection[str]) -> int:
    return _MASTERS_PORT if len(masters) > 1 else _SINGLE_MASTER_PORT
