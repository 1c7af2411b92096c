"""The command lines and configuration files of SeaweedFS's programs, as text.

Masters know which volume server has which SeaweedFS volume. Volume servers store the data. The gateway speaks S3.
"""

import json
from collections.abc import Collection, Sequence
from typing import TypeVar

T = TypeVar("T")

GATEWAY = "object-store"
"""The name of the service that speaks S3."""

VOLUME_SERVER = "object-store-volume"
METRICS_PORT = 9327
S3_PORT = 8333
VOLUME_PORT = 8080
BUCKET = "files"
ACCESS_KEY = "files"
IDENTITIES = "s3.json"
DATA = "/data"

_MASTER_PORT = 9333
_FILER_PORT = 8888
_MAJORITY_OF = 3
_OWN_ADDRESS = """-ip="$(hostname -i | cut -d ' ' -f 1)\""""


def masters(managers: Sequence[T]) -> Sequence[T]:
    """Return the managers that run a master: three, or one if there are fewer, because two are no safer than one."""
    return managers[:_MAJORITY_OF] if len(managers) >= _MAJORITY_OF else managers[:1]


def master_name(host: str) -> str:
    """Return the service name of the master on this host."""
    return f"object-store-master-{host}"


def replication(copies: int) -> str:
    """Return SeaweedFS's replication code for this many copies, each on a different volume server."""
    return f"00{copies - 1}"


def identities_of(secret_key: str) -> str:
    """Return the gateway's user file as JSON, with one user who may do everything."""
    identity = {
        "name": ACCESS_KEY,
        "credentials": [{"accessKey": ACCESS_KEY, "secretKey": secret_key}],
        "actions": ["Admin", "Read", "Write", "List"],
    }
    return json.dumps({"identities": [identity]})


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
    return [
        "weed", "-logtostderr=true", "master", f"-ip={name}", "-ip.bind=0.0.0.0", f"-port={_MASTER_PORT}",
        f"-mdir={DATA}", f"-peers={_addresses(masters) if len(masters) > 1 else 'none'}",
        f"-defaultReplication={replication(copies)}", "-volumeSizeLimitMB=1024", "-telemetry=false",
        f"-metricsPort={METRICS_PORT}",
    ]  # fmt: skip


def volume_server_command(masters: Collection[str]) -> list[str]:
    """Return a volume server's command line.

    Its address is its task's, which changes. Its id is the node's, which stays the same.

    Its index is in memory and takes 16 bytes per stored object. An index in LevelDB only estimates the number of
    deletions (with a Bloom filter), and SeaweedFS discards a new copy whose estimate differs from the first copy's
    count, so repair would never end.
    """
    arguments = [
        "-ip.bind=0.0.0.0", f"-port={VOLUME_PORT}", f"-dir={DATA}", "-max=0", f"-master={_addresses(masters)}",
        "-index=memory", "-minFreeSpace=1GiB", "-preStopSeconds=1", "-concurrentUploadLimitMB=64",
        "-concurrentDownloadLimitMB=64", f"-metricsPort={METRICS_PORT}",
    ]  # fmt: skip
    return ["sh", "-c", f'exec weed -logtostderr=true volume {_OWN_ADDRESS} -id="$NODE_ID" {" ".join(arguments)}']


def gateway_command(masters: Collection[str], copies: int) -> list[str]:
    """Return the command line of the filer with its S3 gateway; its other protocols are switched off.

    The gateway finds the filer by the task's address, because Swarm gives the service's name to healthy tasks only.
    """
    arguments = [
        "-ip.bind=0.0.0.0", f"-port={_FILER_PORT}",
        f"-master={_addresses(masters)}", f"-defaultStoreDir={DATA}",
        # The filer's own default overrides the master's, so both are set.
        f"-defaultReplicaPlacement={replication(copies)}",
        "-concurrentUploadLimitMB=64", "-disableDirListing", "-iam=false",
        "-s3", f"-s3.port={S3_PORT}", f"-s3.config=/run/secrets/{IDENTITIES}", "-s3.iam=false",
        "-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.concurrentUploadLimitMB=64", "-s3.readerCacheSizeMB=32",
        f"-metricsPort={METRICS_PORT}",
    ]  # fmt: skip
    return ["sh", "-c", f"exec weed -logtostderr=true filer {_OWN_ADDRESS} {' '.join(arguments)}"]


def gateway_environment() -> dict[str, str]:
    """Return the gateway's environment, which selects a single LevelDB for the index.

    The filer's default, LevelDB 2, opens eight databases, which take 110 MiB more from the start. With more memory in
    use than the heap limit, Go's garbage collector runs all the time and doubles the CPU time of an upload.
    """
    return {"WEED_LEVELDB2_ENABLED": "false", "WEED_LEVELDB_ENABLED": "true", "WEED_LEVELDB_DIR": DATA}


def _addresses(masters: Collection[str]) -> str:
    return ",".join(f"{master}:{_MASTER_PORT}" for master in masters)
