"""Without a change to the program or settings, nothing changes."""

from cluster import Cluster


def test_a_preview_after_up_has_no_changes(cluster: Cluster) -> None:
    cluster.pulumi("preview", "--expect-no-changes")
