"""Changes to a running cluster: previews are readable, updates are in place where possible, and no data is lost."""

import secrets
from dataclasses import dataclass
from typing import Self

import pytest
import requests
from cluster import Cluster

SERVICE = "docker:index/service:Service"
COMMAND = "command:local:Command"


def test_scaling_is_one_readable_update_in_place(cluster: Cluster) -> None:
    before = cluster.on("master", "docker service inspect files --format '{{.ID}}'")
    # Until the first refresh, the provider lists an empty `sysctl` among the changes of a service that it has created.
    cluster.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes")

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


def test_another_operator_in_another_checkout_sees_no_change(cluster: Cluster) -> None:
    with cluster.other_operator() as pulumi:
        pulumi("preview", "--expect-no-changes")
        pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")


@dataclass(frozen=True)
class Objects:
    """What the swarm and the first host have of a kind, by name."""

    configs: list[str]
    secrets: list[str]
    images: list[str]

    @classmethod
    def of(cls, cluster: Cluster) -> Self:
        return cls(
            configs=cluster.names("config", "edge-config"),
            secrets=cluster.names("secret", "edge-operators"),
            images=cluster.own_images("master", "file-transfer"),
        )


@dataclass
class Story:
    """A config, a secret, a network and a program were changed by one `up`, and changed back by the next."""

    replaced: set[str]
    """What the preview said would be replaced."""
    before: Objects
    changed: Objects
    after: Objects
    upload_status: int
    """The response to an upload that is larger than the changed config allows."""
    operator_status: dict[str, int]
    """The response to an operator with the old and with the new password."""


@pytest.fixture(scope="module")
def story(cluster: Cluster) -> Story:
    before, old, new = Objects.of(cluster), cluster.operator_password(), secrets.token_urlsafe(18)
    cluster.upload("before-the-change", b"works", through="master")
    with (
        cluster.configured(file_service={"max_file_bytes": 1000}, network={"api_subnet": "10.0.21.0/24"}),
        cluster.edited("services/file_transfer/file_transfer/__init__.py", '\n"""Changed."""\n'),
    ):
        cluster.set_secret("operator_password", new)
        replaced = {name for operation, _, name, _ in cluster.planned() if operation == "replace"}
        cluster.up()
        large = {"file": ("large", b"x" * 200_000)}
        upload = requests.post(f"{cluster.url('slave')}/upload", files=large, timeout=30)
        statistics = f"http://{cluster.address('master')}:8405/"
        operator = {
            which: requests.get(statistics, auth=("operator", password), timeout=30).status_code
            for which, password in (("old", old), ("new", new))
        }
        changed = Objects.of(cluster)
        cluster.upload("after-the-change", b"works", through="slave")
        cluster.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes")
        cluster.pulumi("preview", "--expect-no-changes")
    cluster.set_secret("operator_password", old)
    cluster.up()
    return Story(
        replaced=replaced,
        before=before,
        changed=changed,
        after=Objects.of(cluster),
        upload_status=upload.status_code,
        operator_status=operator,
    )


def test_a_changed_config_moves_the_service_and_takes_the_old_one_away(story: Story) -> None:
    assert story.upload_status == 413
    assert len(story.before.configs) == len(story.changed.configs) == len(story.after.configs) == 1
    assert story.changed.configs != story.before.configs


def test_a_changed_secret_moves_the_service_and_takes_the_old_one_away(story: Story) -> None:
    assert story.operator_status == {"old": 401, "new": 200}
    assert len(story.before.secrets) == len(story.changed.secrets) == len(story.after.secrets) == 1
    assert story.changed.secrets != story.before.secrets


def test_a_changed_program_is_a_new_image_and_only_the_last_one_is_kept_beside_it(story: Story) -> None:
    assert len(story.before.images) == 1
    assert len(story.changed.images) == 2
    assert set(story.after.images) == set(story.changed.images) > set(story.before.images)


def test_a_changed_network_is_replaced_after_its_services_are_deleted(cluster: Cluster, story: Story) -> None:
    api_users = {"api-net", "container-api", "docker-api", "prometheus"}
    new_files = {"edge-config", "edge-operators"}

    assert {name for name in story.replaced if not name.startswith("files-image")} == api_users | new_files
    cluster.eventually(lambda: len(cluster.prometheus('up{job="node-exporter"} == 1')) == 2, seconds=120)


def test_files_survive_new_tasks_and_a_new_program(cluster: Cluster, story: Story) -> None:
    assert story.changed != story.before
    for name in ("before-the-change", "after-the-change"):
        assert cluster.download(name, back="slave") == b"works"


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
