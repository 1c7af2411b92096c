"""Grafana's dashboards: they have the eight metrics, and their queries fit the databases."""

import json
import re

import pytest

from monitoring import dashboards, influxql
from monitoring.metrics import ALL, CONTAINER_METRICS, VM_METRICS, Metric

SOURCES = {"influxdb-vms": "vms", "influxdb-containers": "containers"}


def queries(uid: str) -> list[tuple[str, str]]:
    return dashboards.queries(dashboards.dashboards()[uid])


def test_there_are_four_dashboards() -> None:
    found = dashboards.dashboards()

    assert len(found) == 4
    assert all(dashboard["uid"] == uid and dashboard["title"] for uid, dashboard in found.items())


@pytest.mark.parametrize(("uid", "metrics"), [("vms", VM_METRICS), ("containers", CONTAINER_METRICS)])
def test_the_four_metrics_of_each_kind_have_panels(uid: str, metrics: tuple[Metric, ...]) -> None:
    texts = [text for _, text in queries(uid)]

    for metric in metrics:
        assert any(f'"{metric.measurement}"' in text and "SELECT" in text for text in texts), metric.title


def test_every_influxql_query_reads_a_measurement_of_its_database() -> None:
    databases = {metric.measurement: metric.database for metric in ALL}

    for uid in dashboards.dashboards():
        for source, text in queries(uid):
            if source == "prometheus":
                continue
            (measurement,) = set(re.findall(r'FROM "([^"]+)"', text))
            assert databases[measurement] == SOURCES[source], text


def test_a_filled_query_has_no_variables() -> None:
    for uid in dashboards.dashboards():
        for source, text in queries(uid):
            if source != "prometheus":
                assert not re.search(r"\$[A-Za-z_]", influxql.filled(text)), text


def test_each_dashboard_fits_into_a_swarm_config() -> None:
    for name, text in dashboards.dashboard_files().items():
        assert name.endswith(".json")
        assert json.loads(text)["uid"] == name.removesuffix(".json")
        assert len(text.encode()) < 1_000_000


def test_replicas_are_counted_per_host_and_filtered_by_the_dashboard_s_host() -> None:
    (replicas,) = [text for _, text in queries("file-service") if 'count("line")' in text]

    assert replicas.endswith('GROUP BY time($__interval), "node" fill(null)')
    assert '"node" =~ /^$node$/' in replicas
