"""`examples/hello` runs on the hosts that the cluster has left: a program of its own, with the components from pip."""

import functools
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import installed
import pytest
import requests
import yaml
from cluster import Cluster

from lab import configuration, pulumi_cli, stack

SECRETS = ("writer_password", "reader_password")
IMAGES = ("alertmanager", "cadvisor", "haproxy", "influxdb", "node_exporter", "prometheus")


@pytest.fixture(scope="module")
def example(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Any]]:
    """Pulumi on the example's stack, with the lab's hosts, keys and images. The stack is destroyed at the end."""
    cluster.pulumi("destroy", "--yes", "--skip-preview")
    folder = tmp_path_factory.mktemp("example")
    program = shutil.copytree(installed.ROOT / "examples" / "hello", folder / "program")
    # Beside the program, where Python finds it first.
    shutil.copytree(installed.install(folder) / "swarm_transfer", program / "swarm_transfer")
    (program / ".local").symlink_to(cluster.lab.checkout / ".local")
    lab = configuration.read(cluster.lab)
    settings = {
        "hello:hosts": [[host["name"], host["address"], host["role"]] for host in lab["hosts"]],
        "hello:ssh": lab["ssh"],
        "hello:encrypted": lab["network"]["encrypted"],
        "hello:images": {name: image for name, image in lab["images"].items() if name in IMAGES},
    }
    pulumi = functools.partial(stack.pulumi, cluster.lab, pulumi_cli.install(), project=program)
    before = cluster.lab.config_file.read_text()
    document = yaml.safe_load(before)
    document["config"] |= settings
    try:
        cluster.lab.config_file.write_text(yaml.safe_dump(document))
        pulumi("stack", "select", "--create", stack.NAME)
        for name in SECRETS:
            pulumi("config", "set", "--secret", f"hello:{name}", stdin="correct-Horse-battery")
        yield pulumi
        pulumi("destroy", "--yes", "--skip-preview")
    finally:
        cluster.lab.config_file.write_text(before)


def test_a_service_of_one_s_own_runs_on_every_host(cluster: Cluster, example: Callable[..., Any]) -> None:
    example("up", "--yes", "--skip-preview")

    for host in cluster.hosts:
        assert requests.get(f"http://{host['address']}:8080/", timeout=10).text == "hello\n"
    example("preview", "--expect-no-changes")
