"""Show the demo's metrics from its two InfluxDBs, as a table or as a page with eight panels."""

import os
import subprocess
import sys
import time
from pathlib import Path

from lab import configuration, lifecycle, pulumi_cli, stack
from lab.packages import LabError
from lab.paths import Lab
from settings.topology import DATABASE_PORTS

_WAIT_SECONDS = 120
"""A rate needs two scrapes of every task, and then an evaluation of its rule."""


def table(lab: Lab) -> str:
    """Return a text table of the eight metrics of every host and service, with the latest values and their age.

    Raises:
        LabError: a database cannot be read.
    """
    return _run(lab, "metrics")


def draw(lab: Lab) -> Path:
    """Draw the metrics of the last half hour as a page with eight panels, and return its path.

    Raises:
        LabError: a database cannot be read.
    """
    page = lab.local_dir / "report.html"
    _run(lab, "report", "--output", str(page))
    return page


def wait_for_all(lab: Lab) -> str:
    """Wait until the table has all metrics of every host, and return it.

    Raises:
        LabError: some are still missing after two minutes, or longer with `patience`; with the table at that time.
    """
    seconds = _WAIT_SECONDS * int(configuration.read(lab).get("patience", 1))
    deadline = time.monotonic() + seconds
    while True:
        text = table(lab)
        if "missing" not in text:
            return text
        if time.monotonic() > deadline:
            raise LabError(f"not all metrics arrived within {seconds} s:\n{text}")
        time.sleep(1)


def _run(lab: Lab, command: str, *arguments: str) -> str:
    settings = configuration.read(lab)
    managers = [host for host in settings["hosts"] if host["role"] == "manager"]
    urls = [
        word
        for database, port in DATABASE_PORTS.items()
        for word in (f"--{database}-url", f"http://{managers[0]['address']}:{port}")
    ]
    hosts = [word for host in settings["hosts"] for word in ("--host", host["name"])]
    password = stack.pulumi(lab, pulumi_cli.install(), "config", "get", "swarm-transfer:influxdb_reader_password")
    done = subprocess.run(
        lifecycle.of(lab).command([sys.executable, "-m", "monitoring", command, *urls, *hosts, *arguments]),
        cwd=lab.checkout,
        env={**os.environ, "INFLUXDB_READER_PASSWORD": password.stdout.strip()},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise LabError(done.stderr.strip() or f"`python -m monitoring {command}` failed without an error message")
    return done.stdout
