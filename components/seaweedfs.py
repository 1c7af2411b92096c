"""SeaweedFS's programs as the object store runs them: their arguments and their configuration, as text.

Masters know which server has which volume; volume servers have the data; the gateway speaks S3.
"""

import json
from collections.abc import Collection, Sequence
from typing import TypeVar

T = TypeVar("T")

GATEWAY = "object-store"
"""The service that speaks S3."""

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
    """The managers that have a master: three of them, or one where there are fewer, since two are no safer than one."""
    return managers[:_MAJORITY_OF] if len(managers) >= _MAJORITY_OF else managers[:1]


def master_name(host: str) -> str:
    """The service of the master on the host of this name."""
    return f"object-store-master-{host}"


def replication(copies: int) -> str:
    """SeaweedFS's code for so many copies, each on a server of its own."""
    return f"00{copies - 1}"


def identities_of(secret_key: str) -> str:
    """The gateway's users: one, who may do everything."""
    identity = {
        "name": ACCESS_KEY,
        "credentials": [{"accessKey": ACCESS_KEY, "secretKey": secret_key}],
        "actions": ["Admin", "Read", "Write", "List"],
    }
    return json.dumps({"identities": [identity]})


def master_config() -> str:
    """The masters' configuration: what is on too few servers is copied again, every minute."""
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
    """The program of the master of this name, one of `masters`."""
    return [
        "weed", "-logtostderr=true", "master", f"-ip={name}", "-ip.bind=0.0.0.0", f"-port={_MASTER_PORT}",
        f"-mdir={DATA}", f"-peers={_addresses(masters) if len(masters) > 1 else 'none'}",
        f"-defaultReplication={replication(copies)}", "-volumeSizeLimitMB=1024", "-telemetry=false",
        f"-metricsPort={METRICS_PORT}",
    ]  # fmt: skip


def volume_server_command(masters: Collection[str]) -> list[str]:
    """A volume server's program: its address is its task's, which changes; its identity is the node's, which stays.

    Its index is in memory, 16 bytes a piece or record. One in LevelDB guesses how many were deleted (a Bloom filter),
    and a copy that is made anew is thrown away again when the guess is not what the first copy has counted.
    """
    arguments = [
        "-ip.bind=0.0.0.0", f"-port={VOLUME_PORT}", f"-dir={DATA}", "-max=0", f"-master={_addresses(masters)}",
        "-index=memory", "-minFreeSpace=1GiB", "-preStopSeconds=1", "-concurrentUploadLimitMB=64",
        "-concurrentDownloadLimitMB=64", f"-metricsPort={METRICS_PORT}",
    ]  # fmt: skip
    return ["sh", "-c", f'exec weed -logtostderr=true volume {_OWN_ADDRESS} -id="$NODE_ID" {" ".join(arguments)}']


def gateway_command(masters: Collection[str], copies: int) -> list[str]:
    """The program of filer and S3 gateway, without the other protocols that it would speak.

    The gateway finds the filer by its task's address: their service has no name before they are healthy.
    """
    arguments = [
        "-ip.bind=0.0.0.0", f"-port={_FILER_PORT}",
        f"-master={_addresses(masters)}", f"-defaultStoreDir={DATA}",
        # The master's default is not asked when the gateway has one of its own.
        f"-defaultReplicaPlacement={replication(copies)}",
        "-concurrentUploadLimitMB=64", "-disableDirListing", "-iam=false",
        "-s3", f"-s3.port={S3_PORT}", f"-s3.config=/run/secrets/{IDENTITIES}", "-s3.iam=false",
        "-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.concurrentUploadLimitMB=64", "-s3.readerCacheSizeMB=32",
        f"-metricsPort={METRICS_PORT}",
    ]  # fmt: skip
    return ["sh", "-c", f"exec weed -logtostderr=true filer {_OWN_ADDRESS} {' '.join(arguments)}"]


def gateway_environment() -> dict[str, str]:
    """One small metadata database, for our one folder of pieces.

    The filer's own choice, LevelDB 2, is eight of them, which take 110 MiB more at once: with a heap limit below what
    is taken Go's collector never rests, and doubles the CPU time of an upload.
    """
    return {"WEED_LEVELDB2_ENABLED": "false", "WEED_LEVELDB_ENABLED": "true", "WEED_LEVELDB_DIR": DATA}


def _addresses(masters: Collection[str]) -> str:
    return ",".join(f"{master}:{_MASTER_PORT}" for master in masters)
