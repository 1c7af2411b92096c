"""promtool checks Prometheus's files before anything is deployed."""

import shutil
from collections.abc import Callable
from typing import Any

import pytest
from recorder import Recorder

from monitoring import configuration, promtool
from wiring import monitoring as wiring

ARGS = configuration.PrometheusFilesArgs(cluster="lab", scrape_interval="15s", nodes=["master"], tasks={"files": 3})


@pytest.fixture
def files(program: Callable[[str], str]) -> dict[str, str]:
    program("promtool")
    return configuration.prometheus_files(ARGS)


def test_promtool_accepts_the_rendered_files(files: dict[str, str]) -> None:
    assert promtool.check(files)


@pytest.mark.parametrize(
    ("path", "broken"),
    [
        ("rules/vms.yml", "groups: [{name: vms, rules: [{record: a, expr: 'rate('}]}]"),
        ("alerts/nodes.yml", "groups: [{name: nodes, rules: [{alert: A, expr: up, for: soon}]}]"),
        ("prometheus.yml", "scrape_config: []"),
    ],
)
def test_a_mistake_is_refused_with_promtools_error(files: dict[str, str], path: str, broken: str) -> None:
    with pytest.raises(promtool.RejectedFilesError, match=r"monitoring/: Prometheus rejects its files:\n"):
        promtool.check({**files, path: broken})


def test_without_promtool_nothing_is_checked_here(files: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)

    assert not promtool.check({**files, "prometheus.yml": "scrape_config: []"})


def test_the_program_registers_nothing_when_a_rule_is_broken(
    run_program: Callable[..., Recorder], values: dict[str, Any], recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered = configuration.prometheus_files
    monkeypatch.setattr(wiring, "prometheus_files", lambda args: {**rendered(args), "rules/vms.yml": "groups: 7"})

    with pytest.raises(promtool.RejectedFilesError):
        run_program(values)

    assert [r.name for r in recorder.resources if r.typ != "pulumi:pulumi:Stack"] == []
