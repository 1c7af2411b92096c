"""The cluster on virtual machines. It is deployed once, which takes most of the time."""

from pathlib import Path

import pytest
from cluster import Cluster
from failure_report import pytest_runtest_makereport  # noqa: F401 - pytest finds the hook here

from lab import lifecycle, pulumi_cli, stack
from lab.paths import Lab
from lab.progress import step

ROOT = Path(__file__).parent.parent.parent
LAB = Lab(name="vm", checkout=ROOT, virtual=True)


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    if not lifecycle.of(LAB).is_reachable():
        pytest.exit("the machines cannot be reached from here: `make test-vm` runs these tests where they can", 1)
    tools = pulumi_cli.install()
    with step("pulumi up"):
        # Few operations at a time: whatever the settings, the docker provider gives the Engine 30 seconds for some.
        stack.pulumi(LAB, tools, "up", "--yes", "--skip-preview", "--parallel=3", capture=False)
    return Cluster(LAB, tools)
