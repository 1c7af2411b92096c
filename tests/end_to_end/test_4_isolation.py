"""No container of a host reaches the Engine, the host or another container, and no password opens a host."""

import itertools
import shlex
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pytest
import requests
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


# Ports

OPEN = {"master": {22, 2377, 5001, 7946, 8086, 8087, 8405}, "slave": {22, 5001, 7946, 8086, 8087, 8405}}
"""The ports of each host: of ssh and of Docker (2377, 7946), and what the settings publish."""

LISTENING = {
    "alertmanager": {9093},
    "cadvisor": {8080},
    "container-api": set(),
    "docker-api": {2375},
    "edge": {5001, 8086, 8087, 8405},
    "etcd-master": {2379, 2380, 2381},
    "files": {8080, 8081},
    "influxdb-containers": {8086},
    "influxdb-vms": {8086},
    "node-exporter": {9100},
    "object-store-master-master": {9327, 9333, 19333},
    "object-store-volume": {8080, 9327, 18080},
    "postgres-master": {5432, 8008},
    "postgres-slave": {5432, 8008},
    "prometheus": {9090},
}
"""The ports of each service that others on its networks reach. docs/security.md says who is answered at each."""

ALSO_ON_ITS_NETWORKS = {
    "cadvisor": {"node-exporter", "prometheus"},
    "docker-api": {"container-api", "prometheus"},
    "etcd-master": {"files", "postgres-master", "postgres-slave", "prometheus"},
    "files": {
        *("edge", "etcd-master", "object-store-master-master", "object-store-volume", "postgres-master"),
        *("postgres-slave", "prometheus"),
    },
    "object-store-volume": {"files", "object-store-master-master", "prometheus"},
}
"""One service of each network that leads nowhere, and whom it reaches."""


@every_host
def test_a_host_has_no_other_open_port(cluster: Cluster, host: str) -> None:
    def is_open(port: int) -> bool:
        with socket.socket() as connection:
            connection.settimeout(5)
            return connection.connect_ex((cluster.address(host), port)) == 0

    with ThreadPoolExecutor(64) as pool:
        ports = range(1, 65536)
        assert {port for port, found in zip(ports, pool.map(is_open, ports), strict=True) if found} == OPEN[host]


@every_host
def test_a_container_listens_on_no_other_port(cluster: Cluster, host: str) -> None:
    for task in tasks(cluster, host):
        listening = set()
        for line in cluster.on(
            host, f"sudo cat /proc/{task.process}/net/tcp /proc/{task.process}/net/tcp6"
        ).splitlines():
            _, local, _, state, *_ = line.split()
            address, _, port = local.partition(":")
            if state == "0A" and not address.endswith("7F"):  # 0A is "listening", and 7F a loopback address
                listening.add(int(port, 16))
        assert listening == LISTENING[task.service], task.service


@pytest.mark.parametrize("service", ALSO_ON_ITS_NETWORKS)
def test_a_container_reaches_only_the_services_on_its_networks_and_no_host(cluster: Cluster, service: str) -> None:
    everywhere = {host: list(tasks(cluster, host)) for host in OPEN}
    # container-api has the address that Docker gave it, and nothing listens there.
    targets = {
        (address, port): found.service
        for found in itertools.chain.from_iterable(everywhere.values())
        for address in found.addresses
        for port in LISTENING[found.service]
    } | {(cluster.address(host), port): host for host, ports in OPEN.items() for port in ports}
    host, task = next((host, task) for host in OPEN for task in everywhere[host] if task.service == service)
    # Bash opens a connection for such a path. In the container's network, but with the host's programs.
    lines = "".join(
        f"timeout 3 bash -c ': </dev/tcp/{address}/{port}' && echo {address} {port} &\n" for address, port in targets
    )
    script = shlex.quote(f"exec 2>/dev/null\n{lines}wait\n")

    answer = cluster.on(host, f"sudo nsenter --net=/proc/{task.process}/ns/net bash -c {script}", timeout=120)

    reached = {(targets[line.split()[0], int(line.split()[1])], int(line.split()[1])) for line in answer.splitlines()}
    expected = ALSO_ON_ITS_NETWORKS[service] | {service}
    assert reached == {(name, port) for name in expected for port in LISTENING[name]}


# Who is answered on the index's network

ASK = """
import ssl, sys, urllib.error, urllib.request
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
try:
    request = urllib.request.Request(sys.argv[2], method=sys.argv[1])
    print(urllib.request.urlopen(request, timeout=10, context=context).status)
except urllib.error.HTTPError as error:
    print(error.code)
except OSError as error:
    print("refused:", error)
"""
CONNECT = """
import pathlib, psycopg, sys
password = pathlib.Path("/run/secrets/postgres-password").read_text()
try:
    psycopg.connect(f"host={sys.argv[1]} dbname=file_transfer user=file_transfer sslmode=disable", password=password)
    print("let in")
except psycopg.OperationalError as error:
    print(" ".join(str(error).split()))
"""


def from_a_replica(cluster: Cluster, program: str, *arguments: str) -> str:
    """Return what this Python program prints in a replica, which has no certificate for the index."""
    host = next(host for host in OPEN if cluster.containers("files", host))
    container = cluster.containers("files", host)[0]
    return cluster.on(host, shlex.join(["docker", "exec", container, "python3", "-c", program, *arguments])).strip()


@pytest.mark.parametrize(
    ("url", "refusal"),
    [
        ("https://etcd:2379/version", "certificate required"),
        ("https://etcd:2380/members", "certificate required"),
        ("http://etcd:2379/version", "remote end closed connection without response"),
    ],
)
def test_etcd_answers_no_replica(cluster: Cluster, url: str, refusal: str) -> None:
    # A name that is not known, or a port at which nobody listens, would be another error.
    assert refusal in from_a_replica(cluster, ASK, "GET", url).lower()


def test_postgresql_lets_nobody_in_whose_connection_is_not_encrypted(cluster: Cluster) -> None:
    for host in OPEN:
        assert "no encryption" in from_a_replica(cluster, CONNECT, f"postgres-{host}")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "cluster", "200"),
        ("POST", "restart", "403"),
        ("POST", "reinitialize", "403"),
        ("PATCH", "config", "403"),
    ],
)
def test_patroni_tells_everybody_and_obeys_its_own_only(cluster: Cluster, method: str, path: str, status: str) -> None:
    for host in OPEN:
        assert from_a_replica(cluster, ASK, method, f"https://postgres-{host}:8008/{path}") == status


class Task(NamedTuple):
    """A running task: its service, the number of its first process, and its addresses on overlay networks."""

    service: str
    process: str
    addresses: list[str]


def tasks(cluster: Cluster, host: str) -> Iterator[Task]:
    form = (
        '{{index .Config.Labels "com.docker.swarm.service.name"}} {{.State.Pid}}'
        "{{range .NetworkSettings.Networks}} {{.IPAddress}}{{end}}"
    )
    for line in cluster.on(host, f"docker ps -q | xargs docker inspect --format '{form}'").splitlines():
        service, process, *addresses = line.split()
        yield Task(service, process, addresses)


@every_host
@pytest.mark.parametrize("port", [8086, 8087])
def test_a_published_database_says_nothing_without_a_password(cluster: Cluster, host: str, port: int) -> None:
    url = f"http://{cluster.address(host)}:{port}"

    assert requests.get(f"{url}/ping", timeout=30).status_code == 204
    assert requests.get(f"{url}/query?q=SHOW+DATABASES", timeout=30).status_code == 401
    for path in ("debug/pprof/heap", "debug/vars", "metrics", "api/v2/query"):
        assert requests.get(f"{url}/{path}", timeout=30).status_code == 404
