"""With `autolock`, a manager that was started again waits for its key, and then everything is as before."""

from cluster import Cluster


def locked(cluster: Cluster) -> bool:
    return cluster.on("master", "docker info --format '{{.Swarm.LocalNodeState}}'").strip() == "locked"


def test_a_manager_that_was_started_again_waits_for_its_key(cluster: Cluster) -> None:
    cluster.upload("before-the-lock", b"content", through="master")
    with cluster.configured(autolock=True):
        cluster.up()
        cluster.pulumi("preview", "--expect-no-changes")
        assert "SWMKEY" not in cluster.pulumi("stack", "output").stdout

        with cluster.stopped("master"):
            pass
        cluster.eventually(lambda: locked(cluster))
        refused = cluster.pulumi("preview", check=False)
        assert refused.returncode
        assert "master: its manager is locked: run `python -m operations.unlock`" in refused.stdout

        assert cluster.operation("unlock").stdout == "unlocked: master\n"
        assert cluster.operation("unlock").stdout == "no manager was locked\n"
        cluster.eventually(lambda: "2/2" in cluster.replicas("edge"), seconds=300)
        cluster.up()
        assert cluster.download("before-the-lock", back="slave") == b"content"
        cluster.upload("after-the-lock", b"content", through="slave")
        first = cluster.pulumi("stack", "output", "--show-secrets", "unlock_key").stdout
        cluster.up("--replace", cluster.urn("swarm-lock"))
        assert cluster.pulumi("stack", "output", "--show-secrets", "unlock_key").stdout != first

    cluster.up()
    assert "unlock_key" not in cluster.pulumi("stack", "output").stdout
    assert "{false}" in cluster.on("master", "docker info --format '{{.Swarm.Cluster.Spec.EncryptionConfig}}'")
