"""`python -m monitoring`: how it fails."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent.parent
URLS = ("--vms-url", "http://127.0.0.1:9", "--containers-url", "http://127.0.0.1:9")


def run(
    *arguments: str, password: str = "", program: tuple[str, str] = ("-m", "monitoring")
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *program, *arguments],
        cwd=ROOT,
        env={"INFLUXDB_READER_PASSWORD": password, "HOME": "/nonexistent", "MPLCONFIGDIR": "/tmp"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_missing_password_is_reported_with_its_variable() -> None:
    done = run("metrics", *URLS)

    assert done.returncode == 1
    assert done.stderr == "INFLUXDB_READER_PASSWORD is not set: set it to the password of user reader\n"


def test_an_unreachable_database_is_reported_in_one_line() -> None:
    done = run("report", *URLS, password="secret")

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("InfluxDB http://127.0.0.1:9, database vms: no response")
    assert "Traceback" not in done.stderr


def test_the_metrics_need_no_matplotlib_and_the_report_says_that_it_does() -> None:
    without = "import runpy, sys; sys.modules['matplotlib'] = None; runpy.run_module('monitoring', run_name='__main__')"

    metrics = run("metrics", *URLS, password="secret", program=("-c", without))
    report = run("report", *URLS, password="secret", program=("-c", without))

    assert metrics.stderr.startswith("InfluxDB http://127.0.0.1:9, database vms: no response")
    assert (report.returncode, report.stderr) == (1, "the charts need matplotlib: run `pip install matplotlib`\n")
