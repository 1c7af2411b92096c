"""Without a change to the program or settings, nothing changes."""

from cluster import Cluster


def test_a_second_up_changes_nothing(cluster: Cluster) -> None:
    cluster.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")


def test_a_preview_after_up_has_no_changes(cluster: Cluster) -> None:
    cluster.pulumi("preview", "--expect-no-changes")


def test_a_refresh_finds_no_differences(cluster: Cluster) -> None:
    cluster.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes")
    cluster.pulumi("preview", "--expect-no-changes")


def test_a_second_up_after_a_refresh_changes_nothing(cluster: Cluster) -> None:
    cluster.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")


def test_the_exported_state_has_no_secrets_and_no_local_paths(cluster: Cluster) -> None:
    passwords = [
        cluster.secret(name)
        for name in ("operator_password", "influxdb_writer_password", "influxdb_reader_password", "postgres_password")
    ]
    token = cluster.on("master", "docker swarm join-token --quiet worker").strip()

    state = cluster.pulumi("stack", "export").stdout

    assert not [password for password in passwords if password in state]
    assert token not in state
    assert "PRIVATE KEY" not in state
    assert str(cluster.lab.checkout) not in state, "no path of this checkout"
