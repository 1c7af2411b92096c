"""Changes to a running cluster: previews are readable, updates are in place where possible, and no data is lost."""

import re
import secrets

import requests
from cluster import Cluster

from components.commands import CLUSTER_LABEL

SERVICE = "docker:index/service:Service"
COMMAND = "command:local:Command"


def test_files_survive_new_tasks(cluster: Cluster) -> None:
    cluster.upload("survivor", b"still here", through="master")

    cluster.on("master", "docker service update --force --detach=false --quiet files")

    assert cluster.download("survivor", back="slave") == b"still here"


def test_scaling_is_one_readable_update_in_place(cluster: Cluster) -> None:
    before = cluster.on("master", "docker service inspect files --format '{{.ID}}'")

    with cluster.configured(file_service={"replicas": 4}):
        assert sorted(cluster.planned()) == [
            ("update", COMMAND, "prometheus-files", ("stdin",)),  # the expected number of replicas
            ("update", SERVICE, "files", ("mode.replicated.replicas", "taskSpec.placement.maxReplicas")),
        ]
        cluster.up()
        # Swarm also counts replicas that are being stopped, as long as they still serve.
        cluster.eventually(lambda: cluster.replicas("files") == "4/4")
        running = cluster.tasks("files")
        cluster.pulumi("preview", "--expect-no-changes")
    cluster.up()

    assert cluster.on("master", "docker service inspect files --format '{{.ID}}'") == before
    cluster.eventually(lambda: cluster.replicas("files") == "3/3")
    assert cluster.tasks("files") < running, "no replica has been restarted"


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


def test_another_operator_in_another_checkout_sees_no_change(cluster: Cluster) -> None:
    with cluster.other_operator() as pulumi:
        pulumi("preview", "--expect-no-changes")
        pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")


def test_a_changed_config_moves_the_service_and_takes_the_old_one_away(cluster: Cluster) -> None:
    before = cluster.names("config", "edge-config")

    with cluster.configured(file_service={"max_file_bytes": 1000}):
        cluster.up()
        refused = requests.post(f"{cluster.url('slave')}/upload", files={"file": ("big", b"x" * 200_000)}, timeout=30)
        assert refused.status_code == 413
        changed = cluster.names("config", "edge-config")
        cluster.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes")
        cluster.pulumi("preview", "--expect-no-changes")
    cluster.up()

    assert len(changed) == len(before) == len(cluster.names("config", "edge-config")) == 1
    assert changed != before


def test_a_changed_network_is_replaced_after_its_services_are_deleted(cluster: Cluster) -> None:
    with cluster.configured(network={"api_subnet": "10.0.21.0/24"}):
        replaced = {name for operation, _, name, _ in cluster.planned() if operation == "replace"}
        assert replaced == {"api-net", "container-api", "docker-api", "prometheus"}
        cluster.up()
        cluster.pulumi("preview", "--expect-no-changes")
    cluster.up()

    cluster.eventually(lambda: len(cluster.prometheus('up{job="node-exporter"} == 1')) == 2, seconds=120)


def test_a_changed_secret_moves_the_service_and_takes_the_old_one_away(cluster: Cluster) -> None:
    before = cluster.names("secret", "edge-operators")
    old = cluster.operator_password()

    new = secrets.token_urlsafe(18)
    cluster.set_secret("operator_password", new)
    cluster.up()

    url = f"http://{cluster.address('master')}:8405/"
    assert requests.get(url, auth=("operator", old), timeout=30).status_code == 401
    assert requests.get(url, auth=("operator", new), timeout=30).status_code == 200
    assert len(cluster.names("secret", "edge-operators")) == len(before) == 1
    assert cluster.names("secret", "edge-operators") != before
    cluster.pulumi("preview", "--expect-no-changes")


def test_a_changed_program_is_a_new_image_and_only_the_last_one_is_kept_beside_it(cluster: Cluster) -> None:
    before = cluster.own_images("master", "file-transfer")

    with cluster.edited("services/file_transfer/file_transfer/__init__.py", '\n"""Changed."""\n'):
        cluster.up()
        changed = cluster.own_images("master", "file-transfer")
        cluster.upload("after-the-change", b"works", through="slave")
    cluster.up()

    assert len(before) == 1
    assert len(changed) == 2
    assert set(cluster.own_images("master", "file-transfer")) == set(changed) > set(before)
    assert cluster.download("after-the-change", back="master") == b"works"


def test_a_service_that_cannot_start_says_why_and_leaves_the_old_one_working(cluster: Cluster) -> None:
    cluster.upload("before-the-mistake", b"works", through="master")

    with cluster.edited(
        "services/file_transfer/file_transfer/__main__.py", "\nraise SystemExit('no can do')\n", front=True
    ):
        failed = cluster.pulumi("up", "--yes", "--skip-preview", check=False)
        assert failed.returncode != 0
        assert "service files does not run as configured" in failed.stdout
        assert "no can do" in failed.stdout
        assert cluster.download("before-the-mistake", back="slave") == b"works"
    cluster.up("--refresh")

    assert cluster.download("before-the-mistake", back="slave") == b"works"
