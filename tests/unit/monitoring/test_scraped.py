"""What Prometheus keeps of PostgreSQL's, etcd's and the store's metrics is what alerts and dashboards read, no more."""

import re
from typing import Any

import pytest
import yaml

from monitoring import configuration, dashboards

SCRAPED = {
    job["job_name"]: job
    for job in yaml.safe_load((configuration.FOLDER / "prometheus.yml").read_text())["scrape_configs"]
}
JOBS = {"postgres": "patroni_", "etcd": "etcd_", "object-store": "SeaweedFS_"}
every_job = pytest.mark.parametrize(("job", "prefix"), JOBS.items())


def kept(job: str) -> set[str]:
    """Return the names of the metrics that the job keeps, whose pattern has groups of alternatives only."""
    (rule,) = [rule for rule in SCRAPED[job]["metric_relabel_configs"] if rule["action"] == "keep"]
    names = {rule["regex"]}
    while nested := [name for name in names if "(" in name]:
        for name in nested:
            before, alternatives, after = re.fullmatch(r"(.*)\(([^()]*)\)(.*)", name).groups()  # type: ignore[union-attr] # it has a group
            names.remove(name)
            names |= {f"{before}{alternative}{after}" for alternative in alternatives.split("|")}
    return names


def read() -> str:
    """Return all queries of alerts and dashboards as one text."""
    alerts = [path.read_text() for path in sorted((configuration.FOLDER / "alerts").glob("*.yml"))]
    panels = [text for page in dashboards.dashboards().values() for _, text in dashboards.queries(page)]
    return "\n".join([*alerts, *panels])


def target(job: str, **labels: str) -> str | None:
    """Return the address that the job scrapes of a task with these labels of discovery, or None if it scrapes none."""
    address = "10.0.12.7:80"
    for rule in SCRAPED[job]["relabel_configs"]:
        value = rule.get("separator", ";").join(
            address if name == "__address__" else labels.get(name.removeprefix("__meta_dockerswarm_"), "")
            for name in rule["source_labels"]
        )
        found = re.fullmatch(rule.get("regex", "(.*)"), value)
        if rule.get("action") == "keep" and not found:
            return None
        if rule.get("target_label") == "__address__" and found:
            address = found.expand(rule["replacement"].replace("$", "\\"))
    return address


@every_job
def test_the_metrics_that_are_kept_are_those_that_are_read(job: str, prefix: str) -> None:
    assert kept(job) == set(re.findall(rf"\b{prefix}\w+", read()))


@pytest.mark.parametrize(
    ("service", "network", "job", "port"),
    [
        ("postgres-master", "IndexNet", "postgres", 8008),
        ("etcd-master", "IndexNet", "etcd", 2381),
        ("object-store-master-master", "StorageNet", "object-store", 9327),
        ("object-store-volume", "StorageNet", "object-store", 9327),
    ],
)
def test_the_tasks_of_the_index_and_the_store_are_scraped_by_one_job_each(
    service: str, network: str, job: str, port: int
) -> None:
    labels: dict[str, Any] = {"task_desired_state": "running", "service_name": service}

    scraped = {name: target(name, network_name=network, **labels) for name in SCRAPED}
    assert {name: address for name, address in scraped.items() if address} == {job: f"10.0.12.7:{port}"}
    assert not any(target(name, network_name="ClusterNet", **labels) for name in SCRAPED)
