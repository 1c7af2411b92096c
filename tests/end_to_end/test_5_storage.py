"""All replicas share the storage, and failures during a transfer lose nothing."""

import base64
import hashlib
import itertools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from cluster import Cluster
from content import MIB, blocks, digest_of, put

from file_transfer_client.__main__ import main as client

HOSTS = ("master", "slave")
STORE = ("object-store-master-master", "object-store-volume", "postgres-master", "postgres-slave", "etcd-master")


def is_stored(cluster: Cluster, name: str) -> bool:
    return requests.head(f"{cluster.url('master')}/files/{name}", timeout=30).status_code == 200


def ready(cluster: Cluster) -> bool:
    try:
        return all(requests.get(f"{cluster.url(host)}/readyz", timeout=30).ok for host in HOSTS)
    except requests.ConnectionError:
        return False


@pytest.mark.parametrize("size", [1, 5 * MIB + 3, 2048 * MIB], ids=["1 B", "5 MiB", "2 GiB"])
def test_what_goes_in_through_one_node_comes_out_of_the_other(cluster: Cluster, size: int) -> None:
    digest = hashlib.sha256()

    def sent() -> Iterator[bytes]:
        for block in blocks(size):
            digest.update(block)
            yield block

    assert put(cluster, "sized", sent(), through="slave").status_code == 201
    assert digest_of(cluster, "sized", back="master") == digest.hexdigest()
    assert requests.delete(f"{cluster.url('slave')}/files/sized", timeout=60).status_code == 204


def test_index_and_object_store_stay_within_their_memory_limits(cluster: Cluster) -> None:
    def send(number: int) -> None:
        answer = put(cluster, f"parallel-{number}", blocks(128 * MIB), through=HOSTS[number % 2])
        sent.append(f"{answer.status_code}: {answer.text}")

    def tasks() -> list[str]:
        """Return the tasks of all its services that should run."""
        running = "docker service ps --filter desired-state=running --format '{{.Name}} on {{.Node}}: {{.ID}}'"
        return sorted(cluster.on("master", f"{running} {' '.join(STORE)}").splitlines())

    sent: list[str] = []
    before = tasks()
    threads = [threading.Thread(target=send, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [answer for answer in sent if not answer.startswith("201: ")] == []
    for service, host in itertools.product(STORE, HOSTS):
        for container in cluster.containers(service, host):
            shown = "{{.State.OOMKilled}} {{.RestartCount}}"
            assert cluster.on(host, f"docker inspect {container} --format '{shown}'").split() == ["false", "0"]
    assert tasks() == before, "no task ran out of memory and was replaced"
    for number in range(8):
        requests.delete(f"{cluster.url('master')}/files/parallel-{number}", timeout=60).raise_for_status()


# Failures during a transfer


def kill(cluster: Cluster, service: str) -> None:
    for host in HOSTS:
        for container in cluster.containers(service, host):
            cluster.on(host, f"docker kill {container} >/dev/null")


def interrupted(content: Iterator[bytes], after: int, disturb: Callable[[], None]) -> Iterator[bytes]:
    """Yield the content, and call `disturb` before block number `after`."""
    for number, block in enumerate(content):
        if number == after:
            disturb()
        yield block


@pytest.mark.parametrize("service", ["files", "object-store-volume"])
def test_when_services_are_killed_a_plain_upload_fails_cleanly_and_a_tus_upload_is_resumed(
    cluster: Cluster, service: str
) -> None:
    """The killed service is the file service with all its replicas, or both of the object store's volume servers."""
    name, unsure, size = f"through-{service}", f"plain-{service}", 60 * MIB
    requests.delete(f"{cluster.url('master')}/files/{unsure}", timeout=60)
    content = b"".join(blocks(size))
    encoded = base64.b64encode(name.encode()).decode()
    tus = {"Tus-Resumable": "1.0.0"}
    created = requests.post(
        f"{cluster.url('slave')}/uploads",
        headers={**tus, "Upload-Length": str(size), "Upload-Metadata": f"filename {encoded}"},
        timeout=60,
    )
    path = created.headers["Location"]

    def patch(offset: int, body: bytes | Iterator[bytes], through: str) -> int:
        headers = {**tus, "Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
        try:
            return requests.patch(cluster.url(through) + path, data=body, headers=headers, timeout=120).status_code
        except requests.ConnectionError:
            return 0

    def offset() -> int:
        answer = requests.head(cluster.url("master") + path, headers=tus, timeout=60)
        return int(answer.headers["Upload-Offset"]) if answer.ok else -1

    assert patch(0, content[: 20 * MIB], "slave") == 204
    plain: list[object] = []

    def disturb() -> None:
        kill(cluster, service)

    def send_plainly() -> None:
        try:
            plain.append(put(cluster, unsure, interrupted(blocks(size), 40, wait_for_it), through="master").status_code)
        except requests.ConnectionError:
            plain.append(0)

    disturbed = threading.Event()

    def wait_for_it() -> None:
        disturbed.wait(60)

    other = threading.Thread(target=send_plainly)
    other.start()
    status = patch(20 * MIB, interrupted(iter_mib(content[20 * MIB :]), 10, disturb), "slave")
    disturbed.set()
    other.join()

    cluster.eventually(lambda: ready(cluster), seconds=120)
    if status != 204:
        cluster.eventually(lambda: offset() >= 20 * MIB, seconds=60)
        assert patch(offset(), content[offset() :], "master") == 204
    assert digest_of(cluster, name, back="slave") == hashlib.sha256(content).hexdigest()
    # The edge cannot repeat a request body, so this upload either failed or was stored whole, never in part.
    assert is_stored(cluster, unsure) == (plain[0] == 201)
    if plain[0] == 201:
        assert digest_of(cluster, unsure, back="master") == hashlib.sha256(content).hexdigest()
    cluster.eventually(lambda: all(put(cluster, "again", blocks(MIB), through=host).ok for host in HOSTS), seconds=60)


def iter_mib(content: bytes) -> Iterator[bytes]:
    for at in range(0, len(content), MIB):
        yield content[at : at + MIB]


def test_a_download_whose_replica_dies_is_finished_by_our_client(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A replica may still have the addresses of the volume servers that an earlier test has killed.
    cluster.eventually(lambda: put(cluster, "resumed", blocks(300 * MIB), through="master").ok, seconds=120)
    monkeypatch.chdir(tmp_path)
    servers = ",".join(cluster.url(host) for host in HOSTS)
    done: list[int] = []
    thread = threading.Thread(target=lambda: done.append(client(["get", "resumed", "--quiet", "--server", servers])))

    thread.start()
    cluster.eventually(lambda: any(path.stat().st_size > 8 * MIB for path in tmp_path.glob("*.part")))
    kill(cluster, "files")
    thread.join(300)

    assert done == [0]
    expected = hashlib.sha256()
    for block in blocks(300 * MIB):
        expected.update(block)
    with (tmp_path / "resumed").open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == expected.hexdigest()
    cluster.eventually(lambda: ready(cluster), seconds=120)


# Updates


def test_a_rolling_update_under_load_interrupts_no_transfer(cluster: Cluster) -> None:
    content = b"".join(blocks(6 * MIB))
    end = threading.Event()
    failures: list[str] = []
    transfers: list[int] = []

    def transfer(number: int) -> None:
        name = f"rolling-{number}"
        for through in itertools.cycle(HOSTS):
            if end.is_set():
                return
            try:
                stored = put(cluster, name, iter_mib(content), through=through)
                assert stored.ok, f"{stored.status_code}: {stored.text}"
                if cluster.download(name, back="master" if through == "slave" else "slave") != content:
                    failures.append("the downloaded content differs")
            except (requests.RequestException, AssertionError) as error:
                failures.append(f"{name} through {through}: {error}")
            transfers.append(number)

    threads = [threading.Thread(target=transfer, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    cluster.on("master", "docker service update --force --detach=false --quiet files", timeout=300)
    seen = len(transfers)
    cluster.eventually(lambda: len(transfers) > seen + 4, seconds=120)
    end.set()
    for thread in threads:
        thread.join()

    assert failures == []
    assert len(transfers) > 8
