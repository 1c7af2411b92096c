"""Prometheus's configuration files, rendered from the files in this folder and the settings.

The files in this folder are valid as they are, so promtool can check them without rendering.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent


class UnknownAlertError(ValueError):
    """A duration is set for an alert that does not exist. The message lists the existing ones."""


@dataclass(frozen=True, kw_only=True)
class PrometheusFilesArgs:
    """The settings that the files depend on.

    `alert_for` maps an alert's name to how long its condition must hold before it fires, such as "1m".
    `nodes` and `tasks` (service -> number) are the expected ones, so that alerts can report missing ones.
    `certificates` maps a certificate's name to the end of its validity, in seconds since 1970.
    `scraped` maps further services on ClusterNet to the port of their metrics: each gets a job of its name.
    """

    cluster: str
    nodes: Sequence[str]
    tasks: Mapping[str, int]
    scrape_interval: str = "15s"
    alert_for: Mapping[str, str] = field(default_factory=dict)
    certificates: Mapping[str, int] = field(default_factory=dict)
    scraped: Mapping[str, int] = field(default_factory=dict)


def prometheus_files(args: PrometheusFilesArgs) -> dict[str, str]:
    """Return the content of each file, by its path in Prometheus's folder.

    Raises:
        UnknownAlertError: `alert_for` names an alert that does not exist.
    """
    unknown = sorted(set(args.alert_for) - set(alert_names()))
    if unknown:
        raise UnknownAlertError(f'no alert is named "{unknown[0]}": use one of {", ".join(alert_names())}')
    rules = {f"rules/{path.name}": path.read_text() for path in sorted((FOLDER / "rules").glob("*.yml"))}
    alerts = {f"alerts/{path.name}": _with_durations(path, args.alert_for) for path in _alert_files()}
    return {
        "prometheus.yml": _prometheus(args),
        "rules/expected.yml": _expected(args),
        **rules,
        **alerts,
    }


def alert_names() -> list[str]:
    """Return the names of all alerts, sorted."""
    return sorted(
        rule["alert"] for path in _alert_files() for group in _load(path)["groups"] for rule in group["rules"]
    )


def _alert_files() -> list[Path]:
    return sorted((FOLDER / "alerts").glob("*.yml"))


def _prometheus(args: PrometheusFilesArgs) -> str:
    config = _load(FOLDER / "prometheus.yml")
    config["global"] |= {
        "scrape_interval": args.scrape_interval,
        "evaluation_interval": args.scrape_interval,
        "external_labels": {"cluster": args.cluster},
    }
    (pattern,) = (job for job in config["scrape_configs"] if job["job_name"] == "file-service")
    config["scrape_configs"] += [_job_like(pattern, name, port) for name, port in args.scraped.items()]
    return _dump(config)


def _job_like(pattern: Mapping[str, Any], service: str, port: int) -> dict[str, Any]:
    """Return a job for another service with replicas. Its metrics get the same labels as those of the pattern."""
    job = {**copy.deepcopy(dict(pattern)), "job_name": service}
    keep, address = job["relabel_configs"][:2]
    keep["regex"] = f"ClusterNet;running;{service}"
    address["replacement"] = f"$1:{port}"
    return job


def _with_durations(path: Path, alert_for: Mapping[str, str]) -> str:
    document = _load(path)
    for group in document["groups"]:
        for rule in group["rules"]:
            if rule["alert"] in alert_for:
                rule["for"] = alert_for[rule["alert"]]
    return _dump(document)


def _expected(args: PrometheusFilesArgs) -> str:
    """Return rules that record the expected nodes, tasks and certificates, for alerts to compare with."""
    rules = [
        *(_constant("swarm:node_expected", 1, node=node) for node in args.nodes),
        *(_constant("swarm:service_tasks_expected", count, service=name) for name, count in args.tasks.items()),
        *(
            _constant("swarm:certificate_not_after:seconds", end, certificate=name)
            for name, end in args.certificates.items()
        ),
    ]
    return _dump({"groups": [{"name": "expected", "rules": rules}]})


def _constant(record: str, value: float, **labels: str) -> dict[str, Any]:
    return {"record": record, "expr": f"vector({value})", "labels": labels}


def _load(path: Path) -> dict[str, Any]:
    return copy.deepcopy(_parsed(path.read_text()))


@cache
def _parsed(text: str) -> dict[str, Any]:
    """Return what a file says. Most files are needed twice, and parsing them is slow."""
    return dict(yaml.safe_load(text))


def _dump(document: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True, width=1000)
