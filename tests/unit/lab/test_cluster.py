"""The cluster of the end-to-end tests: the copy of the checkout, and the count of replicas."""

import json
import subprocess
from pathlib import Path

import pytest
from cluster import Cluster

from lab.paths import Lab


@pytest.fixture
def cluster(tmp_path):
    lab = Lab(name="test", checkout=tmp_path)
    lab.ssh_dir.mkdir(parents=True)
    (lab.ssh_dir / "known_hosts").write_text("192.168.50.2 ssh-ed25519 AAAA\n")
    (tmp_path / ".gitignore").write_text("/.local\n")
    (tmp_path / "Pulumi.yaml").write_text("name: swarm-transfer\n")
    hosts = {"config": {"swarm-transfer:hosts": [{"name": "master"}]}}
    (tmp_path / "Pulumi.lab.yaml").write_text(json.dumps(hosts))
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {swarm-transfer:hosts: [{name: production}]}\n")
    for command in (["init", "--quiet"], ["add", "."]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    return Cluster(lab, Path("tools"))


def test_relative_paths_in_the_configuration_lead_to_the_same_files_from_the_copy(cluster):
    known_hosts = cluster._project / ".local/lab/test/ssh/known_hosts"

    assert (cluster._project / "Pulumi.yaml").exists()
    assert known_hosts.read_text() == "192.168.50.2 ssh-ed25519 AAAA\n"


def test_a_new_copy_keeps_the_files_that_the_old_one_linked_to(cluster):
    again = Cluster(cluster.lab, Path("tools"))

    assert (again._project / ".local/lab/test/ssh/known_hosts").exists()


def test_its_hosts_are_those_of_the_lab_and_not_of_a_real_deployment(cluster):
    assert cluster.hosts == [{"name": "master"}]


def test_replicas_are_not_those_of_a_service_with_a_longer_name(cluster, monkeypatch):
    monkeypatch.setattr(cluster, "on", lambda *_: "object-store 1/1\nobject-store-master 2/3 (max 1 per node)\n")

    assert cluster.replicas("object-store") == "1/1"
