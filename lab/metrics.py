"""The demo's metrics, as read from its two InfluxDBs: the table, and the page with the eight panels."""

import os
import subprocess
import sys
import time
from pathlib import Path

from lab import configuration, namespace, pulumi_cli, stack
from lab.packages import LabError
from lab.paths import Lab
from settings import DATABASE_PORTS

_WAIT_SECONDS = 120
"""A rate needs two looks at every task, and a rule to run after them."""


def table(lab: Lab) -> str:
    """The eight metrics of every host and service, their freshest values and ages, as text.

    Raises:
        LabError: a database cannot be read.
    """
    return _run(lab, "metrics")


def draw(lab: Lab) -> Path:
    """Draw the eight panels of the last half hour into one page, and return where it is.

    Raises:
        LabError: a database cannot be read.
    """
    page = lab.local_dir / "report.html"
    _run(lab, "report", "--output", str(page))
    return page


def wait_for_all(lab: Lab) -> str:
    """The table, once every host has all its metrics in it.

    Raises:
        LabError: some are still missing after two minutes; with the table as it is then.
    """
    deadline = time.monotonic() + _WAIT_SECONDS
    while True:
        text = table(lab)
        if "missing" not in text:
            return text
        if time.monotonic() > deadline:
            raise LabError(f"not all metrics have come within {_WAIT_SECONDS} s:\n{text}")
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
        namespace.command(lab, [sys.executable, "-m", "monitoring", command, *urls, *hosts, *arguments]),
        cwd=lab.checkout,
        env={**os.environ, "INFLUXDB_READER_PASSWORD": password.stdout.strip()},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise LabError(done.stderr.strip() or f"the {command} could not be made")
    return done.stdout
