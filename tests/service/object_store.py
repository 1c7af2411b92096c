"""A real object store that speaks S3: SeaweedFS in one process, on loopback unless told otherwise."""

import json
import os
import random
import re
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests
from running import own_share, wait_until

from file_transfer.settings import S3Settings

ACCESS_KEY = "access-key-of-the-tests"
SECRET_KEY = "secret-key-of-the-tests"
SOCKETS = Path("/tmp")


@dataclass(frozen=True)
class ObjectStore:
    endpoint: str
    process: subprocess.Popen[bytes]

    def settings(self) -> S3Settings:
        """Return settings for a part of the bucket that no other test uses."""
        return S3Settings(
            endpoint=self.endpoint,
            bucket="files",
            region="us-east-1",
            prefix=uuid.uuid4().hex,
            access_key=ACCESS_KEY,
            secret_key=SECRET_KEY,
        )

    def variables(self, folder: Path) -> dict[str, str]:
        """Return the service's variables for a part of the bucket that no other test uses."""
        settings = self.settings()
        for name, key in (("access", settings.access_key), ("secret", settings.secret_key)):
            (folder / name).write_text(key)
        return {
            "S3_ENDPOINT": settings.endpoint,
            "S3_BUCKET": settings.bucket,
            "S3_PREFIX": settings.prefix,
            "S3_ACCESS_KEY_FILE": str(folder / "access"),
            "S3_SECRET_KEY_FILE": str(folder / "secret"),
        }


def make_bucket(settings: S3Settings) -> None:
    _request("PUT", settings)


def list_objects(settings: S3Settings, prefix: str) -> list[str]:
    """Return the first thousand keys in the bucket that begin with this."""
    listed = _request("GET", settings, f"?list-type=2&prefix={prefix}").decode()
    return re.findall(r"<Key>([^<]*)</Key>", listed)


def _request(method: str, settings: S3Settings, query: str = "") -> bytes:
    result = subprocess.run(
        ["curl", "-fsS", "-X", method, "--aws-sigv4", f"aws:amz:{settings.region}:s3",
         "--user", f"{settings.access_key}:{settings.secret_key}", f"{settings.endpoint}/{settings.bucket}{query}"],
        capture_output=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return result.stdout


@contextmanager
def running(folder: Path, address: str = "127.0.0.1") -> Iterator[ObjectStore]:
    master, volume, filer, s3 = free_ports()
    identity = {
        "name": "tests",
        "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
        "actions": ["Admin", "Read", "Write", "List"],
    }
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    (folder / "data").mkdir()
    command = [
        str(Path(sys.prefix) / "bin" / "weed"), "-logtostderr=true", "server", f"-dir={folder / 'data'}",
        f"-ip={address}", f"-ip.bind={address}", f"-master.port={master}", f"-volume.port={volume}",
        "-volume.max=20", "-master.volumeSizeLimitMB=256", f"-filer.port={filer}", "-s3", f"-s3.port={s3}",
        f"-s3.config={folder / 's3.json'}", "-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.iam=false",
    ]  # fmt: skip
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, cwd=folder, env={**os.environ, "GOMEMLIMIT": "1GiB"}
        )
    store = ObjectStore(f"http://{address}:{s3}", process)

    def is_ready() -> bool:
        assert process.poll() is None, (folder / "log").read_text()[-3000:]
        try:
            requests.get(store.endpoint, timeout=5)
            assigned = requests.get(f"http://{address}:{master}/dir/assign", timeout=5)
        except requests.ConnectionError:
            return False
        return "fid" in assigned.text

    try:
        wait_until(is_ready, seconds=60)
        make_bucket(store.settings())
        yield store
    finally:
        process.kill()  # its data is thrown away, so it need not end gracefully
        process.wait(timeout=60)
        for port in (master, volume, filer, s3):
            for left in sockets(port):
                left.unlink()


def sockets(port: int) -> list[Path]:
    """What SeaweedFS leaves in /tmp, always there: one of another user's could not be replaced, and it would wait."""
    return [path for number in (port, port + 10000) for path in SOCKETS.glob(f"seaweedfs-*-{number}.sock")]


def free_ports() -> list[int]:
    """Return four free ports.

    They are low, since SeaweedFS also uses the port 10,000 above each for gRPC, and the kernel takes the ports from
    32,768 for outgoing connections. They are random, since other tests may look for some at the same time.
    """
    found: list[int] = []
    ports = own_share(range(20000, 22700))
    with ExitStack() as held:
        for port in random.sample(ports, len(ports)):
            if sockets(port):
                continue
            try:
                for number in (port, port + 10000):
                    held.enter_context(socket.socket()).bind(("127.0.0.1", number))
            except OSError:
                continue
            found.append(port)
            if len(found) == 4:
                return found
    raise OSError("no four ports are free")
