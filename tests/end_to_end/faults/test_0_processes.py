"""A process of the index is killed by itself, under load. Its container may go on."""

from collections.abc import Callable

import pytest
from cluster import Cluster
from load import Load
from outages import PRIMARY, STANDBY, killed, place
from table import Table


@pytest.mark.parametrize(
    ("process", "role"), [("bin/patroni", PRIMARY), ("bin/postgres -D", PRIMARY), ("bin/postgres -D", STANDBY)]
)
def test_a_killed_process_of_the_index_comes_back_and_nothing_is_missing(
    cluster: Cluster, load: Load, process: str, role: str, record: Callable[[str], None], table: Table
) -> None:
    def pid() -> str:
        """Return the process's id; empty while there is none."""
        for container in cluster.containers(name, host):
            for line in cluster.on(host, f"docker top {container} -eo pid,args || true").splitlines():
                if process in line:
                    return line.split()[0]
        return ""

    host, name = place(cluster, role)
    old = pid()
    with killed(cluster, load, host, f"sudo kill -9 {old}", f"{role}: its process {process} killed", record, table):
        cluster.eventually(lambda: pid() not in ("", old))
