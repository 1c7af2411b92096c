"""No container of a host reaches the Engine, the host or another container, and no password opens a host."""

import pytest
from cluster import Cluster

every_host = pytest.mark.parametrize("host", ["master", "slave"])


@every_host
@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/info", "200"),
        ("/v1.45/version", "200"),
        ("/swarm", "403"),
        ("/secrets", "403"),
        ("/containers/json", "403"),
        ("/v1.45/containers/create", "403"),
    ],
)
def test_the_engines_api_that_cadvisor_has_is_read_only_and_small(
    cluster: Cluster, host: str, path: str, status: str
) -> None:
    folder = cluster.on(host, "docker volume inspect container-api --format '{{.Mountpoint}}'").strip()
    ask = f"sudo curl -s -o /dev/null -w '%{{http_code}}' --unix-socket {folder}/docker.sock http://docker{path}"

    assert cluster.on(host, ask).strip() == status


@every_host
def test_cadvisor_can_enter_no_other_container_though_it_sees_all_processes(cluster: Cluster, host: str) -> None:
    (cadvisor,) = cluster.containers("cadvisor", host)
    name = cluster.on(host, f"docker inspect {cadvisor} --format '{{{{.Config.Hostname}}}}'").strip()
    look = "for process in /rootfs/proc/[0-9]*; do cat $process/root/etc/hostname 2>/dev/null; done; true"
    seen = cluster.on(host, f"docker exec {cadvisor} sh -c 'ls -d /rootfs/proc/[0-9]* | wc -l'")

    assert int(seen) > 20
    assert set(cluster.on(host, f"docker exec {cadvisor} sh -c '{look}'").split()) == {name}


@every_host
def test_node_exporter_sees_neither_processes_nor_sockets_nor_homes(cluster: Cluster, host: str) -> None:
    (exporter,) = cluster.containers("node-exporter", host)
    look = (
        "for name in dev etc home proc root run sys var/lib/docker; do ls -A /host/root/$name 2>/dev/null; done; true"
    )

    assert cluster.on(host, f"docker exec {exporter} sh -c '{look}'").strip() == ""


@every_host
def test_no_process_of_a_container_can_gain_privileges(cluster: Cluster, host: str) -> None:
    processes = cluster.on(host, "docker ps -q | xargs docker inspect --format '{{.State.Pid}}'").split()
    statuses = [cluster.on(host, f"grep -E '^(NoNewPrivs|CapBnd)' /proc/{process}/status") for process in processes]

    assert len(statuses) > 5
    assert {tuple(status.split()) for status in statuses} == {("CapBnd:", "0" * 16, "NoNewPrivs:", "1")}


@every_host
def test_ssh_takes_neither_passwords_nor_root(cluster: Cluster, host: str) -> None:
    effective = cluster.on(host, "sudo /usr/sbin/sshd -T").splitlines()

    assert {"passwordauthentication no", "kbdinteractiveauthentication no", "permitrootlogin no"} <= set(effective)
