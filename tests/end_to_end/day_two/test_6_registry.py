"""With a registry that asks for a password, every host gets our images from it, and a wrong password is refused."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import yaml
from certificates import self_signed
from cluster import Cluster

ADDRESS = "192.168.50.1:5010"
PASSWORD = "registry-Horse-battery"
HTPASSWD = "swarm:$2b$05$abcdefghijklmnopqrstuu3AqGlFBdzYW.ivCKZWK0hSwhHvn3YR2\n"
"""The user and the password, hashed by bcrypt, which is the only hash that the registry accepts."""

FOLDER = f"/etc/docker/certs.d/{ADDRESS}"


@pytest.fixture
def private_registry(cluster: Cluster, tmp_path: Path) -> Iterator[str]:
    """A registry with TLS and a password, whose certificate all hosts trust. Returns its address."""
    pem, users = tmp_path / "registry.pem", tmp_path / "htpasswd"
    pem.write_text(self_signed(addresses=["192.168.50.1"]))
    users.write_text(HTPASSWD)
    certificate = pem.read_text().partition("-----BEGIN PRIVATE KEY")[0]
    config = {
        "version": 0.1,
        "log": {"level": "warn"},
        "storage": {"filesystem": {"rootdirectory": str(tmp_path / "images")}},
        "http": {"addr": ADDRESS, "tls": {"certificate": str(pem), "key": str(pem)}},
        "auth": {"htpasswd": {"realm": "lab", "path": str(users)}},
    }
    (tmp_path / "registry.yml").write_text(yaml.safe_dump(config))
    process = subprocess.Popen(["docker-registry", "serve", str(tmp_path / "registry.yml")])
    for host in ("master", "slave"):
        cluster.on(host, f"sudo install -d {FOLDER}; echo '{certificate}' | sudo tee {FOLDER}/ca.crt >/dev/null")
    try:
        cluster.eventually(lambda: _asks_for_a_password(pem), seconds=20)
        yield ADDRESS
    finally:
        process.terminate()
        process.wait()
        for host in ("master", "slave"):
            cluster.on(host, f"sudo rm -r {FOLDER}")


def _asks_for_a_password(certificate: Path) -> bool:
    try:
        answer = requests.get(f"https://{ADDRESS}/v2/", verify=str(certificate), timeout=5)
    except requests.ConnectionError:
        return False
    return answer.status_code == requests.codes.unauthorized


def test_every_host_pulls_from_a_registry_that_asks_for_a_password(cluster: Cluster, private_registry: str) -> None:
    cluster.upload("before-the-registry", b"content", through="master")

    with cluster.configured(registry={"address": private_registry, "username": "swarm"}):
        cluster.set_secret("registry.password", "not-the-Horse-battery")
        refused = cluster.pulumi("preview", check=False)
        cluster.set_secret("registry.password", PASSWORD)
        cluster.up()
        for host in ("master", "slave"):
            images = cluster.on(host, "docker ps --filter name=^postgres- --format '{{.Image}}'")
            assert images.startswith(f"{private_registry}/"), host
        assert cluster.download("before-the-registry", back="slave") == b"content"
        cluster.pulumi("preview", "--expect-no-changes")
    cluster.up()

    assert refused.returncode != 0
    for host in ("master", "slave"):
        assert f'{host}: the registry "{private_registry}" refuses the user "swarm" or the password' in refused.stdout
        listed = cluster.on(host, "docker image ls --format '{{.Repository}}'")
        assert private_registry not in listed, "its images are removed with the setting"
