"""The cluster that the end-to-end tests share: brought up once, ended by the last of them."""

from pathlib import Path

import pytest
from cluster import Cluster

from lab import namespace, pulumi_cli
from lab.paths import Lab

ROOT = Path(__file__).parent.parent.parent
LAB = Lab(name="test", checkout=ROOT)


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    if not (LAB.is_online or namespace.is_current(LAB)):
        pytest.exit("the hosts cannot be reached from here: `make test` runs these tests where they can", 1)
    cluster = Cluster(LAB, pulumi_cli.install())
    cluster.up()
    return cluster
