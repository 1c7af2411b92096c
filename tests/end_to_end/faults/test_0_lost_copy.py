"""One of two copies is lost or damaged: it is made again from the other one."""

import hashlib
import re
import secrets

from cluster import Cluster
from content import MIB, blocks, digest_of, put


def volumes(cluster: Cluster) -> dict[int, list[str]]:
    """Return the volumes that have files, each with its servers."""
    found: dict[int, list[str]] = {}
    server = ""
    for line in in_shell(cluster, "volume.list").splitlines():
        if node := re.search(r"DataNode (\S+)", line):
            server = node[1]
        if volume := re.search(r"volume Id:(\d+), .* FileCount:([1-9]\d*),", line):
            found.setdefault(int(volume[1]), []).append(server)
    return found


def in_shell(cluster: Cluster, *commands: str) -> str:
    """Return what SeaweedFS's shell says to these commands. A master's container has the certificate for it."""
    (master,) = cluster.containers("object-store-master-master")
    # The shell needs as much memory as the master itself. Without more, both would stand still.
    cluster.on("master", f"docker update --memory 512m --memory-swap 512m {master}")
    shell = f"docker exec -i {master} weed shell -master=object-store-master-master:9333"
    lines = "".join(f"{command}\\n" for command in commands)
    return cluster.on("master", f"printf '{lines}' | {shell}", timeout=180)


def test_every_file_is_on_two_hosts_and_a_lost_copy_is_replaced(cluster: Cluster) -> None:
    # Chunks that earlier tests have deleted may still keep the volume servers busy.
    cluster.eventually(lambda: put(cluster, "repaired", blocks(9 * MIB), through="master").ok, seconds=120)
    # Usually at once. If a host has just left, its copies must be made again first.
    cluster.eventually(lambda: {len(set(servers)) for servers in volumes(cluster).values()} == {2}, seconds=180)
    copies = in_volume_server(cluster, "slave", "ls /data").split()
    volume, copy = next((number, name) for number in volumes(cluster) if (name := f"{number}.dat") in copies)
    server = in_volume_server(cluster, "slave", "hostname -i").split()[0] + ":8080"
    # A hard link keeps the old copy's inode number from being given to the new copy.
    lost = in_volume_server(cluster, "slave", f"cd /data && ln -f {copy} lost && stat -c %i lost").strip()

    in_shell(cluster, "lock", f"volume.delete -node {server} -volumeId {volume}", "unlock")

    # The masters check every minute for volumes with too few copies.
    def is_there_again() -> bool:
        return in_volume_server(cluster, "slave", f"stat -c %i /data/{copy} || true").strip() not in ("", lost)

    cluster.eventually(is_there_again, seconds=180)
    cluster.eventually(lambda: len(volumes(cluster)[volume]) == 2, seconds=60)
    in_volume_server(cluster, "slave", "rm /data/lost")
    digest = hashlib.sha256(b"".join(blocks(9 * MIB))).hexdigest()
    assert digest_of(cluster, "repaired", back="slave") == digest


def in_volume_server(cluster: Cluster, host: str, script: str) -> str:
    (container,) = cluster.containers("object-store-volume", host)
    return cluster.on(host, f"docker exec {container} sh -c '{script}'")


def test_a_damaged_copy_is_not_sent_and_is_repaired_by_the_scrub(cluster: Cluster) -> None:
    marker = secrets.token_hex(16).encode()
    content = marker + secrets.token_bytes(MIB)
    assert put(cluster, "scrubbed", iter([content]), through="master").ok
    folder = "$(docker volume inspect object-store-volume --format '{{.Mountpoint}}')"
    find = f'sudo sh -c "cd {folder} && grep -obUa {marker.decode()} *.dat"'
    file, offset, _ = cluster.on("slave", find).strip().split(":")
    flip = f"printf X | dd of={file} bs=1 seek={offset} conv=notrunc status=none"
    cluster.on("slave", f'sudo sh -c "cd {folder} && {flip}"')

    digest = hashlib.sha256(content).hexdigest()
    # Each replica prefers the copy on its own host.
    assert {digest_of(cluster, "scrubbed", back=host) for host in ("master", "slave") * 4} == {digest}
    assert "cannot read its copy of chunk" in logs_of_replicas(cluster)
    first, second = cluster.operation("scrub", "--rate", "1000"), cluster.operation("scrub", "--rate", "1000")

    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert "'scrubbed': copies repaired: 1" in first.stdout.splitlines()
    assert "repaired" not in second.stdout
    assert second.stdout.splitlines()[-1].startswith("every file is whole; ")
    assert digest_of(cluster, "scrubbed", back="slave") == digest


def logs_of_replicas(cluster: Cluster) -> str:
    """Return what the replicas have logged. `docker service logs` would also ask for killed tasks."""
    return "".join(
        cluster.on(host, f"docker logs {container} 2>&1")
        for host in ("master", "slave")
        for container in cluster.containers("files", host)
    )
