"""The metrics of both nodes and all services are complete, in the right database, closed to others, and kept."""

import re
import time

import pytest
import requests
from cluster import Cluster
from series import GRID, NODES, latest, services

from components import commands, users
from monitoring import dashboards, influxql
from monitoring.metrics import CONTAINER_METRICS, FILE_METRICS, FURTHER_VM_METRICS, VM_METRICS, Metric

# Complete, and in the right database


@pytest.mark.parametrize("metric", VM_METRICS + FURTHER_VM_METRICS, ids=lambda metric: metric.measurement)
def test_every_vm_metric_of_both_nodes_is_in_its_database(cluster: Cluster, metric: Metric) -> None:
    cluster.eventually(lambda: {series.tags["node"] for series in latest(cluster, metric)} == set(NODES), seconds=90)


@pytest.mark.parametrize("metric", CONTAINER_METRICS, ids=lambda metric: metric.measurement)
def test_every_container_metric_of_all_services_is_in_its_database(cluster: Cluster, metric: Metric) -> None:
    expected = services(cluster)

    cluster.eventually(lambda: {series.tags["service"] for series in latest(cluster, metric)} == expected, seconds=90)
    assert {series.tags["node"] for series in latest(cluster, metric)} == set(NODES)


@pytest.mark.parametrize("metric", FILE_METRICS, ids=lambda metric: metric.measurement)
def test_every_metric_of_the_file_service_is_in_its_database(cluster: Cluster, metric: Metric) -> None:
    slots = cluster.slots("files")

    def measured() -> bool:
        # Six transfers in turn are enough for every replica to get some.
        for number in range(6):
            cluster.upload(f"measured-{number}", b"x" * 1000, through="slave")
            cluster.download(f"measured-{number}", back="master")
        # A stopped replica still has series for as long as the rate's window, so there may be more.
        return {series.tags["slot"] for series in latest(cluster, metric)} >= slots

    cluster.eventually(measured, seconds=90, shown=lambda: latest(cluster, metric, 5))


@pytest.mark.parametrize(("database", "level"), [("vms", "instance:"), ("containers", "container:")])
def test_a_database_has_only_metrics_of_its_own_level(cluster: Cluster, database: str, level: str) -> None:
    (measurements,) = cluster.read(database, "SHOW MEASUREMENTS")

    assert len(measurements.rows) >= 4
    assert all(name.startswith(level) for (name,) in measurements.rows)


def test_no_label_of_a_single_task_reaches_a_database(cluster: Cluster) -> None:
    keys = {
        key
        for database in ("vms", "containers")
        for series in cluster.read(database, "SHOW TAG KEYS")
        for (key,) in series.rows
    }

    # Before 1.8, InfluxDB also stores `__name__`, which is the measurement's name.
    assert keys - {"__name__"} == {"cluster", "node", "mountpoint", "service", "slot"}


def test_a_redeployed_service_continues_its_series(cluster: Cluster) -> None:
    def slots() -> set[tuple[str, ...]]:
        found = cluster.read("containers", 'SHOW SERIES FROM "container:memory_working_set_bytes:sum"')
        # Replicas that an earlier test has moved may get their series only now.
        return {row for series in found for row in series.rows if "service=edge" in str(row)}

    def age() -> float:
        found = cluster.prometheus('time() - max(container_start_time_seconds{service="edge",node="slave"})')
        return float(found[0]["value"][1]) if found else float("inf")

    def recorded() -> float:
        found = [s for s in latest(cluster, memory) if (s.tags["service"], s.tags["node"]) == ("edge", "slave")]
        return max((series.rows[0][0] for series in found), default=0)

    memory = CONTAINER_METRICS[1]
    everything = services(cluster)
    cluster.eventually(lambda: {s.tags["service"] for s in latest(cluster, memory)} == everything, seconds=90)
    # A service on both nodes has a series for each node.
    cluster.eventually(lambda: recorded() > 0)
    before, before_age = slots(), age()
    assert len(before) == len(cluster.hosts)
    old = cluster.containers("edge", "slave")
    cluster.on("master", "docker service update --force --detach=false --quiet edge", timeout=120)
    (new,) = cluster.containers("edge", "slave")
    assert new not in old
    cluster.eventually(lambda: age() < before_age, seconds=60)
    # A scraped sample is recorded and sent later, so wait for a sample of a later round.
    scraped = time.time()
    cluster.eventually(lambda: recorded() > scraped + GRID, seconds=90)

    assert slots() == before


def test_every_panel_of_every_dashboard_has_data_from_both_nodes(cluster: Cluster) -> None:
    for name, dashboard in dashboards.dashboards().items():
        for source, query in dashboards.queries(dashboard):
            if source == "prometheus":
                cluster.prometheus(query)  # raises if Prometheus does not understand it
                continue
            found = cluster.read(source.removeprefix("influxdb-"), influxql.filled(query, minutes=10))
            assert found, f"{name}: no data for {query}"
            nodes = {series.tags["node"] for series in found if "node" in series.tags}
            if "file_transfer" not in query:  # all its replicas may be on one host
                assert nodes in (set(), set(NODES)), f"{name}: {query}"


# Closed to anybody else


def test_wrong_credentials_are_refused(cluster: Cluster) -> None:
    url = f"http://{cluster.address('master')}:8086"
    writer = ("writer", cluster.secret("influxdb_writer_password"))
    reader = ("reader", cluster.secret("influxdb_reader_password"))

    def ask(text: str, auth: tuple[str, str] | None) -> requests.Response:
        return requests.get(f"{url}/query", params={"db": "vms", "q": text}, auth=auth, timeout=30)

    def write(auth: tuple[str, str]) -> requests.Response:
        return requests.post(f"{url}/write", params={"db": "vms"}, data="intruder value=1", auth=auth, timeout=30)

    assert ask("SHOW MEASUREMENTS", None).status_code == 401
    assert ask("SHOW MEASUREMENTS", ("reader", "a wrong password")).status_code == 401
    assert ask("CREATE DATABASE other", reader).status_code == 403
    assert "error" in ask("SELECT * FROM /.*/ LIMIT 1", writer).json()
    assert write(reader).status_code == 403
    assert write(("writer", "a wrong password")).status_code == 401
    assert ask("CREATE USER mallory WITH PASSWORD 'm' WITH ALL PRIVILEGES", None).status_code == 401


@pytest.mark.parametrize("port", [2375, 8080, 8081, 9090, 9093, 9100])
def test_nothing_else_is_published(cluster: Cluster, port: int) -> None:
    for host in NODES:
        with pytest.raises(requests.ConnectionError):
            requests.get(f"http://{cluster.address(host)}:{port}/", timeout=10)


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        ("http://docker-api:2375/v1.45/nodes", 200),
        ("http://docker-api:2375/tasks", 200),
        ("http://docker-api:2375/v1.45/containers/json", 403),
        ("http://docker-api:2375/v1.45/secrets", 403),
        ("http://docker-api:2375/v1.45/nodes/../secrets", 403),
        ("http://docker-api:2375/v1.45/swarm/unlockkey", 403),
        ("--post-data={} http://docker-api:2375/v1.45/services", 403),
    ],
)
def test_of_the_docker_api_a_few_lists_can_be_read(cluster: Cluster, request_line: str, status: int) -> None:
    (container,) = cluster.containers("prometheus")
    answer = cluster.on("master", f"docker exec {container} wget -S -O /dev/null {request_line} 2>&1 || true")

    assert re.search(rf"HTTP/1\.1 {status} ", answer), answer


# Kept


@pytest.mark.parametrize("service", ["influxdb-vms", "influxdb-containers", "prometheus"])
def test_data_survive_a_new_task(cluster: Cluster, service: str) -> None:
    def first_kept() -> object:
        if service == "prometheus":
            return cluster.prometheus('min_over_time(timestamp(up{job="prometheus"})[3h:15s])')[0]["value"][1]
        database = service.removeprefix("influxdb-")
        metric = VM_METRICS[0] if database == "vms" else CONTAINER_METRICS[0]
        return cluster.read(database, f'SELECT FIRST("value") FROM "{metric.measurement}"')[0].rows

    before, (old,) = first_kept(), cluster.containers(service)
    cluster.on("master", f"docker service update --force --detach=false --quiet {service}", timeout=180)

    assert cluster.containers(service) != [old]
    cluster.eventually(lambda: first_kept() == before, seconds=30)


def test_files_that_promtool_rejects_never_reach_prometheus(cluster: Cluster) -> None:
    image = cluster.on(
        "master", "docker service inspect prometheus --format '{{.Spec.TaskTemplate.ContainerSpec.Image}}'"
    )
    deliver = commands.deliver_prometheus_files(
        volume="prometheus-config", image=image.strip(), owner=users.PROMETHEUS, service="prometheus"
    )
    (container,) = cluster.containers("prometheus")
    read = f"docker exec {container} cat /etc/prometheus/live/prometheus.yml"
    before = cluster.on("master", read)

    output = cluster.on(
        "master",
        f"cat > deliver.sh <<'EOF'\n{deliver}\nEOF\n"
        "sh deliver.sh 2>&1 <<'EOF' && echo accepted || rm deliver.sh\n"
        "==> prometheus.yml <==\nscrape_config: []\nEOF\n",
    )

    assert "accepted" not in output
    assert "field scrape_config not found" in output
    assert cluster.on("master", read) == before
