"""Grafana's dashboards: they have the eight metrics, and their queries fit the databases."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from monitoring import dashboards, influxql
from monitoring.metrics import ALL, CONTAINER_METRICS, VM_METRICS, Metric

SOURCES = {"influxdb-vms": "vms", "influxdb-containers": "containers"}


def queries(uid: str) -> list[tuple[str, str]]:
    return dashboards.queries(dashboards.dashboards()[uid])


def test_there_are_five_dashboards() -> None:
    found = dashboards.dashboards()

    assert len(found) == 5
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


def test_prometheus_understands_every_promql_query(program: Callable[[str], str], tmp_path: Path) -> None:
    texts = [text for uid in dashboards.dashboards() for source, text in queries(uid) if source == "prometheus"]
    rules = [{"record": f"panel:{number}", "expr": text} for number, text in enumerate(texts)]
    (tmp_path / "panels.yml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))

    promtool = subprocess.run(
        [program("promtool"), "check", "rules", "--lint=none", tmp_path / "panels.yml"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert promtool.returncode == 0, promtool.stdout + promtool.stderr
    assert f"{len(texts)} rules found" in promtool.stdout


def test_the_index_and_the_store_have_a_dashboard() -> None:
    text = "\n".join(text for _, text in queries("index-and-store"))

    for part in ("primary", "sync_standby", "writable", "garbage_chunks", "sweep_"):
        assert part in text
    for part in ("transfer_stored_bytes", "token_stored_bytes", "stored_files"):
        assert part in text


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
