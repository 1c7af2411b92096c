"""The files that Prometheus reads, rendered from what is kept here and what the settings say.

Every file stands as it is, too: promtool checks it without anything filled in.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent


class UnknownAlertError(ValueError):
    """A duration was given for an alert that does not exist; the text names those that do."""


@dataclass(frozen=True, kw_only=True)
class PrometheusFilesArgs:
    """What the settings say; `alert_for` maps an alert's name to how long it must hold («1m») before it fires.

    `nodes` and `tasks` (service -> number) are what there should be, so that what is missing is noticed.
    `certificates` maps a certificate's name to the end of its validity, in seconds since 1970.
    """

    cluster: str
    scrape_interval: str
    nodes: Sequence[str]
    tasks: Mapping[str, int]
    alert_for: Mapping[str, str] = field(default_factory=dict)
    certificates: Mapping[str, int] = field(default_factory=dict)


def prometheus_files(args: PrometheusFilesArgs) -> dict[str, str]:
    """Every file below Prometheus's folder, by its path.

    Raises:
        UnknownAlertError: `alert_for` names an alert that there is not.
    """
    unknown = sorted(set(args.alert_for) - set(alert_names()))
    if unknown:
        raise UnknownAlertError(f"no alert is named «{unknown[0]}»: use one of {', '.join(alert_names())}")
    rules = {f"rules/{path.name}": path.read_text() for path in sorted((FOLDER / "rules").glob("*.yml"))}
    alerts = {f"alerts/{path.name}": _with_durations(path, args.alert_for) for path in _alert_files()}
    return {
        "prometheus.yml": _prometheus(args),
        "rules/expected.yml": _expected(args),
        **rules,
        **alerts,
    }


def delivery(files: Mapping[str, str]) -> str:
    """The files one after the other, each after a line `==> PATH <==`, as they travel to their host."""
    return "".join(f"==> {path} <==\n{content.rstrip()}\n" for path, content in files.items())


def alert_names() -> list[str]:
    """The names of all alerts, sorted."""
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
    return _dump(config)


def _with_durations(path: Path, alert_for: Mapping[str, str]) -> str:
    document = _load(path)
    for group in document["groups"]:
        for rule in group["rules"]:
            if rule["alert"] in alert_for:
                rule["for"] = alert_for[rule["alert"]]
    return _dump(document)


def _expected(args: PrometheusFilesArgs) -> str:
    """What there should be, as series: an alert compares them with what there is."""
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
    return dict(yaml.safe_load(path.read_text()))


def _dump(document: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True, width=1000)
