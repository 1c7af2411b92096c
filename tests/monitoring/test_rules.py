"""promtool's checks and tests of the rules and alerts, and checks that all of them are tested."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "monitoring"
RUNBOOKS = ROOT / "docs" / "operations" / "alerts.md"
RULE_FILES = sorted(MONITORING.glob("rules/*.yml"))
ALERT_FILES = sorted(MONITORING.glob("alerts/*.yml"))
TEST_FILES = sorted(MONITORING.glob("tests/*.test.yml"))


def rules_of(paths: list[Path]) -> list[dict[str, Any]]:
    documents = [yaml.safe_load(path.read_text()) for path in paths]
    return [rule for document in documents for group in document["groups"] for rule in group["rules"]]


RECORDS = rules_of(RULE_FILES)
ALERTS = rules_of(ALERT_FILES)
CASES = [case for path in TEST_FILES for case in yaml.safe_load(path.read_text())["tests"]]
every_alert = pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
every_record = pytest.mark.parametrize("rule", RECORDS, ids=lambda rule: rule["record"])


@pytest.fixture
def promtool(program: Callable[[str], str]) -> str:
    return program("promtool")


def run(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def by_name(path: Path) -> str:
    return path.name


def firing_and_silent(name: str) -> tuple[int, int]:
    """Return how many cases expect the alert to fire, and how many expect it not to fire."""
    expected = [
        bool(test["exp_alerts"])
        for case in CASES
        for test in case.get("alert_rule_test", [])
        if test["alertname"] == name
    ]
    return expected.count(True), expected.count(False)


def test_there_are_rules_alerts_and_tests() -> None:
    assert RULE_FILES
    assert ALERT_FILES
    assert TEST_FILES


@pytest.mark.parametrize("path", [*RULE_FILES, *ALERT_FILES], ids=by_name)
def test_prometheus_accepts_the_file(promtool: str, path: Path) -> None:
    # Without these options, duplicate rules would only cause a warning.
    run(promtool, "check", "rules", "--lint=all", "--lint-fatal", path)


@pytest.mark.parametrize("path", TEST_FILES, ids=by_name)
def test_the_promtool_tests_pass(promtool: str, path: Path) -> None:
    run(promtool, "test", "rules", path)


@every_record
def test_a_recorded_series_belongs_to_one_of_the_databases(rule: dict[str, Any]) -> None:
    assert re.match("(instance|container):", rule["record"])


@every_record
def test_a_recorded_series_is_tested_by_value_and_labels(rule: dict[str, Any]) -> None:
    name = re.compile(rf"(?<![\w:]){re.escape(rule['record'])}(?![\w:])")
    samples = [
        sample
        for case in CASES
        for test in case.get("promql_expr_test", [])
        if name.search(test["expr"])
        for sample in test["exp_samples"]
    ]
    assert samples, f"no promql_expr_test in {MONITORING / 'tests'} expects a sample of {rule['record']}"


def test_alert_names_are_unique() -> None:
    names = [alert["alert"] for alert in ALERTS]

    assert sorted(names) == sorted(set(names))


@every_alert
def test_an_alert_is_tested_firing_and_not_firing(alert: dict[str, Any]) -> None:
    firing, silent = firing_and_silent(alert["alert"])

    assert firing, f"no alert_rule_test expects {alert['alert']} to fire"
    # The dead man's switch has no such case, since it always fires.
    assert silent or alert["labels"]["severity"] == "none", f"no alert_rule_test expects {alert['alert']} not to fire"


@every_alert
def test_an_alert_has_a_summary_a_description_and_a_runbook(alert: dict[str, Any]) -> None:
    assert alert["annotations"].keys() == {"summary", "description", "runbook"}
    assert all(text.strip() for text in alert["annotations"].values())


@every_alert
def test_an_alert_has_a_severity_and_a_duration(alert: dict[str, Any]) -> None:
    if alert["alert"] == "DeadMansSwitch":
        assert (alert["labels"]["severity"], alert["for"]) == ("none", "0s")
    else:
        assert alert["labels"]["severity"] in {"critical", "warning"}
        assert re.fullmatch(r"[1-9]\d*[smh]", alert["for"])


@every_alert
def test_a_runbook_on_a_page_is_the_alert_s_own(alert: dict[str, Any]) -> None:
    named = re.findall(r"docs/[\w/.]+#\w+", alert["annotations"]["runbook"])
    has_page = f"\n## {alert['alert']}\n" in RUNBOOKS.read_text()

    assert named == [f"docs/operations/alerts.md#{alert['alert'].lower()}"] * has_page
