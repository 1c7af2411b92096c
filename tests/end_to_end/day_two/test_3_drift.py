"""What somebody changed by hand is named, and put back."""

import re

from cluster import Cluster

from components.commands import CLUSTER_LABEL


def test_what_somebody_changed_by_hand_is_named_and_put_back(cluster: Cluster) -> None:
    by_hand = (
        "node-exporter --constraint-add node.hostname==master",
        "alertmanager --env-add A=b --limit-memory 100m --cap-add NET_ADMIN --mount-add type=tmpfs,destination=/x",
        "docker-api --publish-add published=7777,target=9,mode=host --host-add other:10.9.9.9 --restart-delay 9s",
        "influxdb-vms --health-retries 9 --stop-grace-period 2m --update-parallelism 3 --group-add 4 --hostname other",
        "files --replicas 2",
    )
    names = [words.split()[0] for words in by_hand]
    before, node = {name: cluster.specification(name) for name in names}, cluster.node("slave")
    for words in by_hand:
        cluster.on("master", f"docker service update --detach --quiet {words}")
    cluster.on("master", "docker service rm cadvisor")
    # A node that is drained is named in the same way, and would take longer to come back.
    cluster.on("master", f"docker node update --availability pause --label-add rack=1 --label-rm {CLUSTER_LABEL} slave")
    changed = {name: cluster.specification(name) for name in names}
    assert all(changed[name] != before[name] for name in names)
    changed_node, state = cluster.node("slave"), cluster.state()
    assert state

    found = cluster.operation("drift")

    assert found.returncode == 2, found.stdout + found.stderr
    assert {
        "node-exporter: constraints: node.hostname==master was added",
        "alertmanager: environment: A was added",
        "alertmanager: the memory limit is 100 MiB instead of 128 MiB",
        "docker-api: published ports: 7777 was added",
        "influxdb-vms: healthcheck.retries are 9 instead of 3",
        "files: replicas are 2 instead of 3",
        "cadvisor: the service was deleted",
    } <= set(found.stdout.splitlines())
    assert {line.rpartition(": `")[0] for line in found.stdout.splitlines() if line.startswith("slave: ")} == {
        "slave: somebody paused it",
        "slave: the label rack=1 was added",
        f"slave: the label {CLUSTER_LABEL}=lab was removed",
    }
    assert {name: cluster.specification(name) for name in names} == changed, "nothing was changed"
    assert (cluster.node("slave"), cluster.state()) == (changed_node, state), "nothing was changed"

    for command in re.findall("`(docker node [^`]+)`", found.stdout):
        cluster.on("master", command)
    cluster.up("--refresh")

    assert cluster.node("slave") == node
    assert {name: cluster.specification(name) for name in names} == before
    for name in (*names, "cadvisor"):
        cluster.eventually(lambda name=name: len(set(cluster.replicas(name).split("/"))) == 1)
    cluster.pulumi("preview", "--expect-no-changes")
    found = cluster.operation("drift")
    assert (found.returncode, found.stdout) == (0, "nothing was changed by hand\n"), found.stdout + found.stderr
