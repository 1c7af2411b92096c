"""`make metrics`: the tables of hosts and tasks."""

from fake_influxdb import NOW

from monitoring.influxdb_client import Read
from monitoring.table import table


def test_each_host_and_task_has_a_row_with_four_metrics_and_their_ages(read: Read) -> None:
    hosts, tasks = table(read, now=NOW).split("\n\n")

    assert hosts.splitlines()[0].split("  ")[0] == "Host"
    assert [line.split()[0] for line in hosts.splitlines()] == ["Host", "master", "slave"]
    assert hosts.count("25.0 % (5 s)") == 4, "CPU and memory of both hosts"
    assert [line.split("  ")[0] for line in tasks.splitlines()] == [
        "Task", "files.1 on master", "files.2 on master",
    ]  # fmt: skip
    assert tasks.count("0.250 CPU (5 s)") == 2


def test_every_column_is_aligned(read: Read) -> None:
    for part in table(read, now=NOW).split("\n\n"):
        assert len({len(line) for line in part.splitlines()}) == 1


def test_a_host_without_metrics_is_shown_as_missing(read: Read) -> None:
    hosts = table(read, ["master", "slave", "third"], now=NOW).split("\n\n")[0]

    assert hosts.splitlines()[-1].split() == ["third", "missing", "missing", "missing", "missing"]
    assert hosts.count("missing") == 4


def test_empty_databases_are_reported(empty: Read) -> None:
    text = table(empty, now=NOW)

    assert "no host has metrics" in text
    assert "no task has metrics" in text
    assert text.count("missing") == 8
