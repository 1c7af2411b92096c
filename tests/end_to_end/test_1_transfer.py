"""Files sent through one node can be fetched through the other, with the two commands that users know."""

import hashlib
import socket
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests
from cluster import Cluster

MIB = 2**20


def curl(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["curl", "-sS", *arguments], capture_output=True, check=False)


@pytest.mark.parametrize(("through", "back"), [("master", "slave"), ("slave", "master")])
@pytest.mark.parametrize(
    ("name", "size"),
    [("empty", 0), ("one-byte", 1), ("three hundred MiB.bin", 300 * MIB), ("spaces and é.txt", 4321)],
)
def test_a_file_sent_to_one_node_comes_back_from_the_other(
    cluster: Cluster, tmp_path: Path, name: str, size: int, through: str, back: str
) -> None:
    sent = tmp_path / name
    with sent.open("wb") as file, Path("/dev/urandom").open("rb") as noise:
        file.write(noise.read(size))

    upload = curl("-f", "-X", "POST", "-F", f"file=@{sent}", f"{cluster.url(through)}/upload")
    assert upload.returncode == 0, upload
    received = tmp_path / "received"
    download = curl("-f", "-X", "POST", "-F", f"name={name}", f"{cluster.url(back)}/download", "-o", str(received))
    assert download.returncode == 0, download

    assert received.stat().st_size == size
    assert hashlib.sha256(received.read_bytes()).digest() == hashlib.sha256(sent.read_bytes()).digest()


def test_the_list_of_files_is_the_same_through_every_node(cluster: Cluster) -> None:
    cluster.upload("listed", b"content", through="slave")

    lists = [requests.get(f"{cluster.url(host)}/files", timeout=30).json() for host in ("master", "slave")]

    assert lists[0] == lists[1]
    assert "listed" in str(lists[0])


def test_an_unknown_name_is_not_found_and_the_answer_does_not_look_like_a_file(cluster: Cluster) -> None:
    answer = requests.post(f"{cluster.url('slave')}/download", files={"name": (None, "never sent")}, timeout=30)

    assert answer.status_code == 404
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert "Content-Disposition" not in answer.headers
    assert answer.text.count("\n") == 1


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "", "n" * 300])
def test_a_bad_name_is_refused_and_nothing_is_stored(cluster: Cluster, name: str) -> None:
    before = requests.get(f"{cluster.url('master')}/files", timeout=30).json()

    answer = requests.post(f"{cluster.url('master')}/upload", files={"file": (name, b"content")}, timeout=30)

    assert 400 <= answer.status_code < 500
    assert answer.text.count("\n") == 1
    assert requests.get(f"{cluster.url('master')}/files", timeout=30).json() == before


def test_a_truncated_upload_is_invisible(cluster: Cluster) -> None:
    cluster.upload("kept", b"the old version", through="master")
    body = b'--b\r\nContent-Disposition: form-data; name="file"; filename="kept"\r\n\r\nhalf of the new'

    with pytest.raises(requests.exceptions.RequestException):  # noqa: PT012 - the server may answer, or close the connection
        answer = requests.post(
            f"{cluster.url('master')}/upload",
            data=iter([body]),
            headers={"Content-Type": "multipart/form-data; boundary=b"},
            timeout=30,
        )
        answer.raise_for_status()

    assert cluster.download("kept", back="slave") == b"the old version"


def test_only_the_operator_can_see_the_statistics_and_nobody_the_metrics(cluster: Cluster) -> None:
    url = f"http://{cluster.address('slave')}:8405/;csv"
    assert requests.get(url, timeout=30).status_code == 401
    assert requests.get(url, auth=("operator", "a wrong password"), timeout=30).status_code == 401
    shown = requests.get(url, auth=("operator", cluster.operator_password()), timeout=30)
    assert shown.status_code == 200
    assert "replicas,replica1," in shown.text
    for path in ("/metrics", "/edge", "/edge;csv"):
        assert requests.get(f"{cluster.url('slave')}{path}", timeout=30).status_code == 404


def test_slow_connections_delay_nobody_else(cluster: Cluster) -> None:
    form = b"POST /download HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nn"
    upload = b"PUT /files/slow HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n1"
    with ExitStack() as stack:
        for number in range(200):
            slow = stack.enter_context(socket.create_connection((cluster.address("slave"), 5001), timeout=10))
            slow.sendall(form if number % 2 else upload)

        # The slow ones have used up their own address's share, so others are those at other addresses: the hosts.
        for here, there in (("slave", "master"), ("master", "slave")):
            curl, url = "curl --silent --show-error --fail --max-time 10", cluster.url(there)
            stored = f"echo content >/tmp/others && {curl} -F file=@/tmp/others {url}/upload >/dev/null"
            assert cluster.on(here, f"{stored} && {curl} -F name=others {url}/download") == "content\n"
        for host in ("master", "slave"):
            for container in cluster.containers("files", host):
                cluster.on(host, f"docker exec {container} python3 -m file_transfer.healthcheck")
