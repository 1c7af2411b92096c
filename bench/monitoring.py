"""Measures what monitoring costs a node, and how soon a scraped value can be queried in InfluxDB.

    python -m bench.monitoring [MINUTES]

Deploys the cluster on its own hosts, lets it run for a while, and prints one JSON object: seconds from scrape to
queryable (p50, p99), CPU and memory of both exporters on the worker, one node's series and samples a second, the same
extrapolated to fifty nodes, and the cost for Prometheus and the databases after forty-eight nodes are added (load.py).
"""

import json
import os
import shlex
import statistics
import sys
import threading
import time
import urllib.parse
from typing import Any

from bench import load, own_hosts
from bench.own_hosts import ADDRESSES, LAB
from lab import stack
from monitoring import influxdb_client, influxql
from monitoring.metrics import FURTHER_VM_METRICS

WORKER = "slave"
LOAD = FURTHER_VM_METRICS[1]
NODES = 50
MIB = 2**20
_LOADED_SECONDS = 120


def ask(query: str, at: float | None = None) -> list[dict[str, Any]]:
    """Return the result of an instant query, sent from within Prometheus's container; `at` is in seconds since 1970."""
    parameters = {"query": query} | ({"time": f"{at:.3f}"} if at else {})
    url = f"http://127.0.0.1:9090/api/v1/query?{urllib.parse.urlencode(parameters)}"
    container = "$(docker ps -q --filter label=com.docker.swarm.service.name=prometheus)"
    answer = own_hosts.ask("master", f"docker exec {container} wget -q -O - {shlex.quote(url)}")
    return list(json.loads(answer)["data"]["result"])


def number(query: str) -> float:
    """Return the only value of a query's result, or 0 if the result is empty."""
    found = ask(query)
    return float(found[0]["value"][1]) if found else 0.0


def delays(read: influxdb_client.Read, seconds: float) -> list[float]:
    """Return the seconds from each scrape of the worker until the metric recorded from it could be queried."""
    arrived: dict[float, float] = {}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for series in read(LOAD.database, influxql.latest(LOAD, 2)):
            if series.tags["node"] == WORKER:
                arrived.setdefault(series.rows[0][0], time.time())
    # The first value may have been there before the measurement began, so it does not count.
    evaluated = sorted(arrived)[1:]
    scraped = [float(ask(f'timestamp(node_load1{{node="{WORKER}"}})', at)[0]["value"][1]) for at in evaluated]
    return [arrived[at] - scrape for at, scrape in zip(evaluated, scraped, strict=True)]


def costs(minutes: float) -> dict[str, float]:
    """Return the CPU (percent of a core) and memory (MiB) of the worker's exporters, and its series and samples."""
    window = f"{int(minutes * 60)}s"
    exporters = f'service=~"node-exporter|cadvisor",node="{WORKER}"'
    interval = 15
    recorded = f'{{__name__=~"(instance|container):.+",node="{WORKER}"}}'
    return {
        "exporters_cpu_percent": 100 * number(f"sum(rate(container_cpu_usage_seconds_total{{{exporters}}}[{window}]))"),
        "exporters_memory_mib": number(f"sum(container_memory_working_set_bytes{{{exporters}}})") / MIB,
        "prometheus_series_per_node": number(f'count({{node="{WORKER}"}})'),
        "prometheus_samples_per_second_per_node": number(
            f'sum(scrape_samples_post_metric_relabeling{{node="{WORKER}"}})'
        )
        / interval,
        "influxdb_series_per_node": number(f"count({recorded})"),
        "prometheus_cpu_percent": 100
        * number(f'sum(rate(container_cpu_usage_seconds_total{{service="prometheus"}}[{window}]))'),
    }


def measure(minutes: float) -> dict[str, float]:
    """Return all figures by name. This must run in the lab's network, where the hosts can be reached."""
    urls = {"vms": f"http://{ADDRESSES['master']}:8086"}
    read = influxdb_client.reader(urls, "reader", os.environ["INFLUXDB_READER_PASSWORD"])
    waited = sorted(delays(read, minutes * 60))
    measured = costs(minutes - 1)
    for key in ("prometheus_series", "prometheus_samples_per_second", "influxdb_series"):
        measured[f"{key}_{NODES}_nodes"] = NODES * measured[f"{key}_per_node"]
    with load.nodes(LAB, NODES - 2):
        pause = threading.Event()
        pause.wait(_LOADED_SECONDS)
        window = f"{_LOADED_SECONDS - 30}s"
        measured |= {
            f"nodes_measured_of_{NODES}": number('count(up{job="node-exporter"} == 1)'),
            "loaded_prometheus_series": number("prometheus_tsdb_head_series"),
            "loaded_samples_per_second": number(f"rate(prometheus_tsdb_head_samples_appended_total[{window}])"),
            "loaded_prometheus_cpu_percent": 100
            * number(f'sum(rate(container_cpu_usage_seconds_total{{service="prometheus"}}[{window}]))'),
            "loaded_prometheus_memory_mib": number('sum(container_memory_working_set_bytes{service="prometheus"})')
            / MIB,
            "loaded_influxdbs_cpu_percent": 100
            * number(f'sum(rate(container_cpu_usage_seconds_total{{service=~"influxdb-.+"}}[{window}]))'),
            "loaded_influxdb_series": number('count({__name__=~"(instance|container):.+"})'),
            "loaded_samples_lost": number("sum(prometheus_remote_storage_samples_failed_total)"),
            "loaded_remote_write_seconds_behind": number(
                "max(prometheus_remote_storage_highest_timestamp_in_seconds - ignoring(remote_name, url) group_right "
                "prometheus_remote_storage_queue_highest_sent_timestamp_seconds)"
            ),
        }
    measured["scrape_to_queryable_p50"] = statistics.median(waited)
    measured["scrape_to_queryable_p99"] = waited[min(len(waited) - 1, int(0.99 * len(waited)))]
    return measured


def main() -> None:
    """Deploy the cluster, measure it, and remove the hosts."""
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 4
    if own_hosts.is_reachable():
        print(json.dumps({name: round(value, 2) for name, value in measure(minutes).items()}, indent=1))
        return
    with own_hosts.own_hosts():
        tools = own_hosts.deployed()
        password = stack.pulumi(LAB, tools, "config", "get", "swarm-transfer:influxdb_reader_password").stdout.strip()
        own_hosts.run_there("bench.monitoring", str(minutes), INFLUXDB_READER_PASSWORD=password)


if __name__ == "__main__":
    main()
