"""Metrics are true, and an outage of both databases leaves no gap in them."""

import itertools
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from cluster import Cluster
from series import GRID, NODES, latest, services

from monitoring.influxdb_client import Series
from monitoring.metrics import CONTAINER_METRICS, EIGHT, VM_METRICS, Metric

MIB = 2**20
OUTAGE = 180  # seconds
BUSY_CPUS = 0.5
BUSY_SECONDS = 90
IDLE_SECONDS = 3 * GRID + 5  # before and after the busy time, so that both ends are sampled
HELD_BYTES = 64 * MIB
SENT_BYTES = 400 * MIB

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
    for host in NODES:
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

    assert {series.tags["node"] for series in whole} == set(NODES)
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
