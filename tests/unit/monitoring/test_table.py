"""`make metrics`: what a person reads off it."""

from fake_influxdb import NOW

from monitoring.influxdb_client import Read
from monitoring.table import table


def test_hosts_and_tasks_have_a_row_with_their_four_metrics_and_ages(read: Read) -> None:
    hosts, tasks = table(read, now=NOW).split("\n\n")

    assert hosts.splitlines()[0].split("  ")[0] == "Host"
    assert [line.split()[0] for line in hosts.splitlines()] == ["Host", "master", "slave"]
    assert hosts.count("25.0 % (5 s)") == 4, "CPU and memory of both"
    assert [line.split("  ")[0] for line in tasks.splitlines()] == [
        "Task             ".rstrip(), "files.1 on master", "files.2 on master",
    ]  # fmt: skip
    assert tasks.count("0.250 CPU (5 s)") == 2


def test_every_column_is_aligned(read: Read) -> None:
    for part in table(read, now=NOW).split("\n\n"):
        assert len({len(line) for line in part.splitlines()}) == 1


def test_a_host_that_is_not_measured_is_said_to_be_missing(read: Read) -> None:
    hosts = table(read, ["master", "slave", "third"], now=NOW).split("\n\n")[0]

    assert hosts.splitlines()[-1].split() == ["third", "missing", "missing", "missing", "missing"]
    assert hosts.count("missing") == 4


def test_empty_databases_are_said_to_be_empty(empty: Read) -> None:
    text = table(empty, now=NOW)

    assert "no host is measured" in text
    assert "no task is measured" in text
    assert text.count("missing") == 8
