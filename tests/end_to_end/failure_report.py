"""Adds the cluster's condition to the report of a failed test, since the cluster is gone when somebody reads it."""

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from cluster import Cluster

from components.ssh import SshError


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report: Any = yield  # type: ignore[misc] # pluggy sends a wrapper what it wraps
    cluster = getattr(item, "funcargs", {}).get("cluster")
    if report.failed and isinstance(cluster, Cluster):
        try:
            report.sections.append(("the cluster", cluster.described()))
        except (OSError, SshError, subprocess.SubprocessError, RuntimeError, LookupError, ValueError) as error:
            report.sections.append(("the cluster", f"cannot be asked: {error}"))
    return report
