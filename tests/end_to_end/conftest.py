"""The cluster that the end-to-end tests share. It is started once, and test_6_destroy.py ends it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
import requests
from cluster import Cluster
from failure_report import pytest_runtest_makereport  # noqa: F401 - pytest finds the hook here
from load import Load
from outages import urls
from table import HEADER, Table

from lab import lifecycle, pulumi_cli
from lab.paths import Lab

ROOT = Path(__file__).parent.parent.parent
LAB = Lab(name="test", checkout=ROOT)
RECORDED = pytest.StashKey[list[str]]()
TABLE = pytest.StashKey[Table]()


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    if not lifecycle.of(LAB).is_reachable():
        pytest.exit("the hosts cannot be reached from here: `make test` runs these tests where they can", 1)
    cluster = Cluster(LAB, pulumi_cli.install())
    cluster.up()
    return cluster


@pytest.fixture(scope="session")
def record(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Return a function that adds a line to the end of the run's output, such as a time that was measured."""
    return request.config.stash.setdefault(RECORDED, []).append


@pytest.fixture(scope="module")
def table(request: pytest.FixtureRequest, cluster: Cluster) -> Iterator[Table]:
    """Return the table of faults, which is printed at the end of the run."""
    table = request.config.stash.setdefault(TABLE, Table())
    yield table
    table.count_samples(cluster)


@pytest.fixture(scope="module")
def load(cluster: Cluster) -> Iterator[Load]:
    """A load that has run once. What it has uploaded is deleted at the end."""
    load = Load()
    with load.running(*urls(cluster)):
        cluster.eventually(lambda: len(load.acknowledged) > 60, shown=load.described)
    yield load
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(partial(_delete, cluster), load.acknowledged))


def _delete(cluster: Cluster, name: str) -> None:
    with suppress(requests.RequestException):  # then the file stays, which disturbs no other test
        requests.delete(f"{cluster.url('master')}/files/{name}", timeout=60)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what the tests recorded."""
    for line in config.stash.get(RECORDED, []):
        terminalreporter.write_line(f"measured: {line}")
    if rows := config.stash.get(TABLE, Table()).rows:
        terminalreporter.write_line("\n".join([HEADER, *map(str, rows)]))
