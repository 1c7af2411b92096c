"""What a program on the storage network reaches: one that is no replica of the file service, and one that is."""

import ssl
import time
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
import urllib3
from http2_frames import PREFACE
from reserved_keys import keep
from seaweedfs import Cluster, credentials, secure

from components import seaweedfs
from file_transfer.stores import seaweedfs_credentials
from file_transfer.stores.seaweedfs_credentials import Credentials

GRPC = 10_000
"""What SeaweedFS adds to a server's port for gRPC."""


@pytest.fixture
def chunk(seaweedfs_cluster: Cluster) -> str:
    return keep(seaweedfs_cluster.store(), b"content")[0].key


@pytest.fixture
def others(tmp_path: Path) -> Credentials:
    """The credentials of a replica of another cluster."""
    return credentials(tmp_path, seed="another seed")


def tokens(own: Credentials, others: Credentials, chunk: str) -> dict[str, Mapping[str, str]]:
    """Return headers by what they are."""
    return {
        "nothing": {},
        "for another chunk": own.to_write("1,0000"),
        "for another chunk's reading": own.to_read("1,0000"),
        "by another cluster": others.to_write(chunk),
        "by another cluster for reading": others.to_read(chunk),
    }


def test_without_a_token_for_it_a_chunk_cannot_be_read_written_or_deleted(
    seaweedfs_cluster: Cluster, others: Credentials, chunk: str
) -> None:
    own = seaweedfs_cluster.credentials
    url = f"http://{seaweedfs_cluster.address('node0')}/{chunk}?type=replicate"
    wrong = tokens(own, others, chunk)

    for kind, headers in {**wrong, "for writing": own.to_write(chunk)}.items():
        assert requests.get(url, headers=headers, timeout=5).status_code == 401, kind
    for kind, headers in {**wrong, "for reading": own.to_read(chunk)}.items():
        assert requests.put(url, b"other", headers=headers, timeout=5).status_code == 401, kind
        assert requests.delete(url, headers=headers, timeout=5).status_code == 401, kind
    assert seaweedfs_cluster.copies(chunk) == {"node0": b"content", "node1": b"content"}


def test_a_token_is_good_for_two_hours_and_no_longer(
    seaweedfs_cluster: Cluster, chunk: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the clocks of hosts may be an hour apart."""
    url = f"http://{seaweedfs_cluster.address('node0')}/{chunk}"

    for behind, status in ((3600, 200), (2 * 3600 + 60, 401)):
        with monkeypatch.context() as patch:
            patch.setattr(seaweedfs_credentials, "time", SimpleNamespace(time=lambda ago=behind: time.time() - ago))
            headers = seaweedfs_cluster.credentials.to_read(chunk)
        assert requests.get(url, headers=headers, timeout=5).status_code == status


def test_a_master_answers_only_those_who_have_a_certificate(seaweedfs_cluster: Cluster, others: Credentials) -> None:
    nothing = ssl.create_default_context(cafile=seaweedfs_cluster.credentials.authority)
    own = seaweedfs_cluster.credentials.context()

    assert ask(seaweedfs_cluster, own, "/dir/status").status == 200
    for context in (nothing, others.context()):
        with pytest.raises(urllib3.exceptions.HTTPError):
            ask(seaweedfs_cluster, context, "/dir/status")


def test_a_master_has_no_tokens_to_give_away(seaweedfs_cluster: Cluster, chunk: str) -> None:
    own = seaweedfs_cluster.credentials.context()

    for path in ("/dir/assign?replication=001", f"/dir/lookup?fileId={chunk}", f"/dir/lookup?fileId={chunk}&read=yes"):
        answer = ask(seaweedfs_cluster, own, path)
        assert answer.status == 200
        assert "authorization" not in {name.lower() for name in answer.headers}
        assert "auth" not in answer.json()


@pytest.mark.parametrize("server", ["master", "node0"])
def test_only_masters_and_volume_servers_take_commands_from_each_other(
    seaweedfs_cluster: Cluster, others: Credentials, tmp_path: Path, server: str
) -> None:
    nothing = ssl.create_default_context(cafile=seaweedfs_cluster.credentials.authority)
    replica = seaweedfs_cluster.credentials.context()

    for program in ("master", "volume"):
        assert speaks_grpc(seaweedfs_cluster, server, context_of(secure(tmp_path, program)))
    for context in (nothing, others.context(), replica):
        assert not speaks_grpc(seaweedfs_cluster, server, context)


def ask(cluster: Cluster, context: ssl.SSLContext, path: str) -> Any:
    pool = urllib3.PoolManager(ssl_context=context, assert_hostname=seaweedfs.MASTER, retries=False)
    return pool.request("GET", f"https://{cluster.master}{path}", timeout=5)


def context_of(security: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=security / seaweedfs.AUTHORITY_FILE)
    context.load_cert_chain(security / seaweedfs.IDENTITY_FILE)
    return context


def speaks_grpc(cluster: Cluster, server: str, context: ssl.SSLContext) -> bool:
    """Return whether the server answers the beginning of a connection of HTTP/2, after it has seen the certificate."""
    context.check_hostname = False
    context.set_alpn_protocols(["h2"])
    address = ("127.0.0.1", cluster.ports[server] + GRPC)
    try:
        with (
            urllib3.util.connection.create_connection(address, timeout=5) as plain,
            context.wrap_socket(plain) as secure,
        ):
            secure.sendall(PREFACE)
            return len(secure.recv(9)) == 9
    except (ssl.SSLError, ConnectionError):
        return False
