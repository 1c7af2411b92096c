"""The eight metrics of both nodes and all services are complete, correct, in the right database, and kept."""

import itertools
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest
import requests
from certificates import self_signed
from cluster import Cluster

from components import commands, users
from monitoring import dashboards, influxql
from monitoring.influxdb_client import Series
from monitoring.metrics import CONTAINER_METRICS, EIGHT, FILE_METRICS, FURTHER_VM_METRICS, VM_METRICS, Metric

MIB = 2**20
NODES = {"master", "slave"}
GRID = 15  # seconds between two samples
OUTAGE = 180  # seconds
BUSY_CPUS = 0.5
BUSY_SECONDS = 90
IDLE_SECONDS = 3 * GRID + 5  # before and after the busy time, so that both ends are sampled
HELD_BYTES = 64 * MIB
SENT_BYTES = 400 * MIB
LAB_ADDRESS = "192.168.50.1"

# The program of a container to measure: it holds memory all the time, uses half a CPU for a while in between, and then
# prints the CPU time that it used.
TRUTH = f"""
import time
held = bytearray({HELD_BYTES})
time.sleep({IDLE_SECONDS})
end = time.monotonic() + {BUSY_SECONDS}
while time.monotonic() < end:
    busy = time.monotonic() + 0.05
    while time.monotonic() < busy:
        pass
    time.sleep({0.05 / BUSY_CPUS - 0.05})
print("used", time.process_time(), flush=True)
time.sleep({IDLE_SECONDS})
"""


def latest(cluster: Cluster, metric: Metric, minutes: int = 2) -> list[Series]:
    return cluster.read(metric.database, influxql.latest(metric, minutes))


def services(cluster: Cluster) -> set[str]:
    return set(cluster.on("master", "docker service ls --format '{{.Name}}'").split())


def targets(cluster: Cluster, **labels: str) -> int:
    """Return how many targets with these labels Prometheus scrapes."""
    selector = ",".join(f'{key}="{value}"' for key, value in labels.items())
    found = cluster.prometheus(f"count(up{{{selector}}} == 1)")
    return int(found[0]["value"][1]) if found else 0


# Complete, and in the right database


@pytest.mark.parametrize("metric", VM_METRICS + FURTHER_VM_METRICS, ids=lambda metric: metric.measurement)
def test_every_vm_metric_of_both_nodes_is_in_its_database(cluster: Cluster, metric: Metric) -> None:
    cluster.eventually(lambda: {series.tags["node"] for series in latest(cluster, metric)} == NODES, seconds=90)


@pytest.mark.parametrize("metric", CONTAINER_METRICS, ids=lambda metric: metric.measurement)
def test_every_container_metric_of_all_services_is_in_its_database(cluster: Cluster, metric: Metric) -> None:
    expected = services(cluster)

    cluster.eventually(lambda: {series.tags["service"] for series in latest(cluster, metric)} == expected, seconds=90)
    assert {series.tags["node"] for series in latest(cluster, metric)} == NODES


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
        return {row for series in found for row in series.rows}

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
                assert nodes in (set(), NODES), f"{name}: {query}"


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
    for host in sorted(NODES):
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


# True


@dataclass
class Outage:
    """What happened while the databases were down."""

    begin: float
    end: float = 0
    used_cpu_seconds: float = 0
    host_bytes: dict[tuple[str, str], float] = field(default_factory=dict)
    """What `ip -s link` on a host counted during the transfer: (node, receive or transmit) -> bytes."""
    host_bytes_until_end: dict[tuple[str, str], float] = field(default_factory=dict)
    """The same from the transfer to the end of the outage."""
    counters: dict[tuple[str, ...], float] = field(default_factory=dict)
    """What Prometheus's counters grew by from the transfer to the end of the outage."""


def interface_bytes(cluster: Cluster) -> dict[tuple[str, str], float]:
    counted = {}
    for host in sorted(NODES):
        links = json.loads(cluster.on(host, "ip -json -stats link show type veth"))
        own = [link["stats64"] for link in links if link["ifname"].startswith("eth")]
        counted[host, "receive"] = sum(stats["rx"]["bytes"] for stats in own)
        counted[host, "transmit"] = sum(stats["tx"]["bytes"] for stats in own)
    return counted


def counters(cluster: Cluster) -> dict[tuple[str, ...], float]:
    counted: dict[tuple[str, ...], float] = {}
    for direction in ("receive", "transmit"):
        for found in cluster.prometheus(f'sum by (node) (node_network_{direction}_bytes_total{{device=~"eth.*"}})'):
            counted[found["metric"]["node"], direction] = float(found["value"][1])
        query = f'sum by (node) (container_network_{direction}_bytes_total{{service="edge"}})'
        for found in cluster.prometheus(query):
            counted["edge", found["metric"]["node"], direction] = float(found["value"][1])
    return counted


@pytest.fixture(scope="module", autouse=True)
def kernel_log(cluster: Cluster) -> None:
    """Log the kernel's CPU and memory counters to a file on the host, every two seconds from now on."""
    look = "echo $(date +%s) $(head -n 1 /proc/stat) $(grep -E '^Mem(Total|Available)' /proc/meminfo)"
    cluster.on("slave", f"(for _ in $(seq 900); do {look}; sleep 2; done) >kernel.log 2>&1 </dev/null &")


def kernel_said(cluster: Cluster, at: float) -> tuple[float, float, float]:
    """Return (busy CPU time, all CPU time, share of memory in use) at that time, from the host's kernel."""
    lines = cluster.on("slave", "cat kernel.log").splitlines()
    words = next(line.split() for line in lines if float(line.split()[0]) >= at)
    times = [float(word) for word in words[2:10]]  # guest time is in user time already
    total, available = float(words[13]), float(words[16])
    return sum(times) - times[3] - times[4] - times[7], sum(times), 1 - available / total


@pytest.fixture(scope="module")
def outage(cluster: Cluster) -> Iterator[Outage]:
    """Stop both databases for three minutes, while a file is sent and a container is busy."""
    image = cluster.on("master", "docker service inspect files --format '{{.Spec.TaskTemplate.ContainerSpec.Image}}'")
    truth = TRUTH.replace("'", '"')
    cluster.on("master", "docker service scale influxdb-vms=0 influxdb-containers=0 >/dev/null", timeout=120)
    story = Outage(begin=time.time())
    cluster.on(
        "master",
        "docker service create --quiet --detach=false --name truth --network ClusterNet --restart-condition none "
        "--endpoint-mode dnsrr --no-resolve-image "
        f"--constraint node.hostname==master {image.strip()} python3 -c '{truth}' >/dev/null",
    )
    counted, linked = counters(cluster), interface_bytes(cluster)
    cluster.upload("measured", b"\0" * SENT_BYTES, through="slave")
    linked_after = interface_bytes(cluster)
    story.host_bytes = {key: linked_after[key] - linked[key] for key in linked}

    (working,) = cluster.containers("truth")
    cluster.on("master", f"docker wait {working}", timeout=OUTAGE + 120)
    printed = cluster.on("master", f"docker logs {working}")
    story.used_cpu_seconds = float(printed.split()[1])
    linked_after = interface_bytes(cluster)
    story.host_bytes_until_end = {key: linked_after[key] - linked[key] for key in linked}
    counted_after = counters(cluster)
    story.counters = {key: counted_after[key] - counted[key] for key in counted}
    story.end = time.time()
    assert story.end - story.begin >= OUTAGE
    cluster.on("master", "docker service scale influxdb-vms=1 influxdb-containers=1 >/dev/null", timeout=120)
    for metric in EIGHT:
        cluster.eventually(
            lambda metric=metric: (
                max((series.rows[0][0] for series in latest(cluster, metric)), default=0) > story.end + GRID
            ),
            seconds=120,
        )
    yield story
    cluster.on("master", "docker service rm truth")


def samples(cluster: Cluster, metric: Metric, story: Outage, **tags: str) -> list[tuple[float, float]]:
    """Return the times and values of a series from begin to end of the outage."""
    where = " AND ".join(f"\"{key}\" = '{value}'" for key, value in tags.items())
    (series,) = cluster.read(
        metric.database,
        f'SELECT "value" FROM "{metric.measurement}" WHERE {where} '
        f"AND time >= {int(story.begin)}s AND time <= {int(story.end)}s",
    )
    return [(at, value) for at, value in series.rows]


def line_of(series: Series) -> tuple[str, ...]:
    """Return what a series belongs to, whichever of its tags the query returned."""
    return tuple(series.tags.get(tag) or "" for tag in ("node", "service", "slot"))


@pytest.mark.parametrize("metric", EIGHT, ids=lambda metric: metric.measurement)
def test_an_outage_of_three_minutes_leaves_no_gap(cluster: Cluster, outage: Outage, metric: Metric) -> None:
    kept = cluster.read(
        metric.database,
        f'SELECT "value" FROM "{metric.measurement}" '
        f"WHERE time >= {int(outage.begin) - 60}s AND time <= {int(outage.end)}s GROUP BY *",
    )
    # Some were not there all the time: the databases, the test's own service, and replicas that moved to another node.
    passing = ("truth", "influxdb-vms", "influxdb-containers")
    # A rate goes on for five minutes after its container has ended, and memory does not: so memory says what is there.
    present = CONTAINER_METRICS[1] if metric in CONTAINER_METRICS else metric
    alive = {line_of(series) for series in latest(cluster, present)}
    whole = [s for s in kept if s.tags.get("service") not in passing and line_of(s) in alive]

    assert {series.tags["node"] for series in whole} == NODES
    if metric in CONTAINER_METRICS:
        assert {series.tags["service"] for series in whole} == services(cluster) - set(passing)
    for series in whole:
        times = [row[0] for row in series.rows]
        steps = [later - earlier for earlier, later in itertools.pairwise(times)]
        assert max(steps) <= GRID * 1.1, f"{series.tags}: a gap of {max(steps)} s"
        assert times[-1] - times[0] > OUTAGE


def test_a_transfer_is_counted_for_its_host_and_its_container(outage: Outage) -> None:
    # The edge forwards the file to a replica, which sends it to both hosts' volume servers.
    assert outage.host_bytes["slave", "receive"] >= SENT_BYTES
    for node, direction in itertools.product(NODES, ("receive", "transmit")):
        # Prometheus counts the same interfaces as the kernel, and sees them a few seconds later. If the replica is on
        # the slave, the master sends hardly anything of the file, so these seconds may be more than a tenth of it.
        counted = pytest.approx(outage.host_bytes_until_end[node, direction], rel=0.1, abs=0.005 * SENT_BYTES)
        assert outage.counters[node, direction] == counted
    for direction in ("receive", "transmit"):
        assert outage.counters["edge", "slave", direction] == pytest.approx(SENT_BYTES, rel=0.1)
        assert outage.counters["edge", "master", direction] < 0.1 * SENT_BYTES


@pytest.mark.parametrize(("metric", "tags"), [
    (VM_METRICS[2], {"node": "slave"}),
    (VM_METRICS[3], {"node": "slave"}),
    (CONTAINER_METRICS[2], {"node": "slave", "service": "edge"}),
    (CONTAINER_METRICS[3], {"node": "slave", "service": "edge"}),
], ids=lambda value: getattr(value, "measurement", ""))  # fmt: skip
def test_a_transfer_is_in_the_recorded_rates(
    cluster: Cluster, outage: Outage, metric: Metric, tags: dict[str, str]
) -> None:
    # rate() extrapolates to its whole window: by up to a tenth for a series as young as the edge's is here.
    sent = samples(cluster, metric, outage, **tags)[-1][1] * 300
    direction = "receive" if "receive" in metric.measurement else "transmit"
    truth = SENT_BYTES if "service" in tags else outage.host_bytes["slave", direction]

    assert 0.9 * truth < sent < 1.2 * truth


def test_a_busy_container_shows_its_cpu_time_and_its_memory(cluster: Cluster, outage: Outage) -> None:
    cpu, memory = CONTAINER_METRICS[:2]
    used = samples(cluster, cpu, outage, service="truth")
    held = [value for _, value in samples(cluster, memory, outage, service="truth")]

    # rate() extrapolates to its whole window, as it does for a transfer.
    assert 0.9 * outage.used_cpu_seconds < used[-1][1] * 300 < 1.2 * outage.used_cpu_seconds
    assert HELD_BYTES < max(held) < HELD_BYTES + 24 * MIB  # Python itself takes some


def test_cpu_and_memory_of_a_host_match_its_kernel(cluster: Cluster, outage: Outage) -> None:
    cpu, memory = VM_METRICS[:2]
    at, busy = samples(cluster, cpu, outage, node="slave")[-1]
    busy_before, all_before, _ = kernel_said(cluster, at - 300)
    busy_after, all_after, _ = kernel_said(cluster, at)
    seen, in_use = samples(cluster, memory, outage, node="slave")[-1]
    *_, really_in_use = kernel_said(cluster, seen)

    assert busy == pytest.approx((busy_after - busy_before) / (all_after - all_before), rel=0.1)
    assert in_use == pytest.approx(really_in_use, abs=0.02), "shares of all memory; the sample is up to 15 s old"


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


# Alerts, and what is published on request


class Receiver(BaseHTTPRequestHandler):
    """Records what Alertmanager sends."""

    alerts: ClassVar[list[dict[str, Any]]] = []
    beats: ClassVar[list[float]] = []
    """The times when the dead man's switch arrived."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.alerts += body["alerts"]
        if any(alert["labels"]["alertname"] == "DeadMansSwitch" for alert in body["alerts"]):
            self.beats.append(time.monotonic())
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Log nothing, to keep the test's output readable."""


@pytest.fixture
def receiver() -> Iterator[str]:
    server = ThreadingHTTPServer((LAB_ADDRESS, 0), Receiver)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://{LAB_ADDRESS}:{server.server_port}/alerts"
    server.shutdown()
    server.server_close()


def test_a_node_without_its_exporter_raises_an_alert_and_the_operator_can_open_consoles_over_tls(
    cluster: Cluster, receiver: str, tmp_path: Path
) -> None:
    def alerted(name: str, **labels: str) -> bool:
        return any(
            alert["labels"]["alertname"] == name and labels.items() <= alert["labels"].items()
            for alert in Receiver.alerts
        )

    def kept(database: str) -> str:
        (policies,) = cluster.read(database, f'SHOW RETENTION POLICIES ON "{database}"')
        (duration,) = [row[1] for row in policies.rows if row[0] == "kept"]
        return str(duration)

    certificate = self_signed(address=cluster.address("slave"))
    trusted = tmp_path / "trusted.pem"
    trusted.write_text(certificate.partition("-----BEGIN PRIVATE KEY")[0])
    before = cluster.containers("prometheus")
    with cluster.configured(
        alerting={"receiver": "webhook", "for": {"NodeMissing": "5s"}},
        monitoring={"publish": ["influxdb", "prometheus", "alertmanager"], "retention": "12h"},
    ):
        cluster.set_secret("alerting.webhook_url", receiver)
        cluster.set_secret("alerting.heartbeat_url", receiver)
        cluster.set_secret("edge_certificate", certificate)
        cluster.up()
        assert cluster.containers("prometheus") == before, "rules are reloaded without a restart"

        url = f"https://{cluster.address('slave')}"
        with requests.Session() as session:
            session.trust_env = False  # otherwise the machine's own certificate bundle would be used instead
            session.verify = str(trusted)
            for port in (9090, 9093):
                assert session.get(f"{url}:{port}/-/ready", timeout=30).status_code == 401
                session.auth = ("operator", cluster.operator_password())
                assert session.get(f"{url}:{port}/-/ready", timeout=30).status_code == 200
                session.auth = None
            sent = session.post(f"{url}:5001/upload", files={"file": ("by-tls", b"content")}, timeout=30)
            assert sent.status_code == 201
            assert session.post(f"{url}:5001/download", data={"name": "by-tls"}, timeout=30).content == b"content"
        assert cluster.prometheus("swarm:certificate_not_after:seconds")[0]["metric"]["certificate"] == "edge"
        assert {kept(database) for database in ("vms", "containers")} == {"12h0m0s"}
        cluster.eventually(lambda: alerted("DeadMansSwitch"), seconds=120)
        assert not alerted("NodeMissing")

        elsewhere = "node.labels.swarm-transfer.host!=slave"
        cluster.on("master", f"docker service update --quiet --constraint-add {elsewhere} node-exporter >/dev/null")
        cluster.eventually(lambda: alerted("NodeMissing", node="slave", severity="critical"), seconds=120)
        assert not alerted("NodeMissing", node="master")
        cluster.eventually(lambda: len(Receiver.beats) > 1, seconds=90)
        assert Receiver.beats[1] - Receiver.beats[0] < 90, "every minute"  # and not every other
        runbooks = [a["annotations"]["runbook"] for a in Receiver.alerts if a["labels"]["alertname"] == "NodeMissing"]
        assert "docker node ls" in runbooks[0]
    cluster.up("--refresh")

    assert {kept(database) for database in ("vms", "containers")} == {"720h0m0s"}
    cluster.eventually(lambda: targets(cluster, job="node-exporter", node="slave") == 1)
    cluster.pulumi("preview", "--expect-no-changes")


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
