"""No secret is readable in Pulumi's state, in what Docker shows, in a log, or in another process's arguments."""

import base64
import json
import re

import pytest
from cluster import Cluster

from components import seaweedfs

PASSWORDS = ("operator_password", "influxdb_writer_password", "influxdb_reader_password", "postgres_password")
HOSTS = ("master", "slave")

PATRONI = re.compile(r"PATRONI_(REPLICATION|REWIND)_PASSWORD=")
"""Patroni takes its passwords from its environment, which only its own user can read."""

SHOWN = """
docker inspect $(docker ps --all --quiet)
docker service ls --quiet 2>/dev/null | xargs --no-run-if-empty docker service inspect
docker node ls --quiet 2>/dev/null | xargs --no-run-if-empty docker node ps --quiet | sort -u |
  xargs --no-run-if-empty docker inspect
docker config ls --quiet 2>/dev/null | xargs --no-run-if-empty docker config inspect
docker secret ls --quiet 2>/dev/null | xargs --no-run-if-empty docker secret inspect
true
"""
"""Prints what Docker shows to its users: containers, services, tasks, configs and secrets."""

LOGGED = "for container in $(docker ps --all --quiet); do docker logs $container 2>&1; done; true"
PROCESSES = "sudo sh -c 'cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ' 2>/dev/null | tr '\\0' '\\n' | sort -u"


@pytest.fixture(scope="module")
def secrets(cluster: Cluster) -> dict[str, str]:
    """Every secret text by its name: what was set, what the swarm made, and what was made from the seed."""
    resources = json.loads(cluster.pulumi("stack", "export", "--show-secrets").stdout)["deployment"]["resources"]
    (seed,) = [found["outputs"]["stdout"] for found in resources if found["urn"].endswith("::seed-text")]
    seed = json.loads(seed["plaintext"])
    key = seaweedfs.identity(seed, seaweedfs.REPLICA).key
    return {
        **{name: cluster.secret(name) for name in PASSWORDS},
        **{
            role: cluster.on("master", f"docker swarm join-token --quiet {role}").strip()
            for role in ("worker", "manager")
        },
        "seed": seed,
        "write key": seaweedfs.write_key(seed),
        "read key": seaweedfs.read_key(seed),
        "private key": key.splitlines()[1],
    }


def found(secrets: dict[str, str], text: str) -> set[str]:
    """Return the names of the secrets that are in the text, as they are or in base64."""
    return {name for name, secret in secrets.items() if any(form in text for form in forms(secret))}


def forms(secret: str) -> list[str]:
    # In a longer text, base64 has three forms. The first and last characters depend on what surrounds the secret.
    encoded = [base64.b64encode(b"\0" * shift + secret.encode()).decode() for shift in range(3)]
    return [secret, *(text[4:-4] for text in encoded)]


def test_a_secret_in_a_text_is_found() -> None:
    secrets = {"password": "correct-Horse-battery"}

    for shift in range(3):
        text = "x" * shift + "password: correct-Horse-battery, and more"
        assert found(secrets, text) == found(secrets, base64.b64encode(text.encode()).decode()) == {"password"}
    assert found(secrets, "correct-Horse") == set()


def test_the_state_has_no_secret(cluster: Cluster, secrets: dict[str, str]) -> None:
    assert found(secrets, cluster.pulumi("stack", "export").stdout) == set()


def test_a_token_with_which_a_host_has_joined_lets_no_other_join(cluster: Cluster, secrets: dict[str, str]) -> None:
    resources = json.loads(cluster.pulumi("stack", "export", "--show-secrets").stdout)["deployment"]["resources"]
    (used,) = [found["outputs"]["stdout"] for found in resources if found["urn"].endswith("::slave-token")]
    token = json.loads(used["plaintext"]).strip()

    assert token.startswith("SWMTKN-1-")
    assert token not in (secrets["worker"], secrets["manager"])


@pytest.mark.parametrize("host", HOSTS)
def test_docker_shows_no_secret(cluster: Cluster, secrets: dict[str, str], host: str) -> None:
    shown = cluster.on(host, SHOWN, timeout=120)

    assert "prometheus" in shown or host != "master"
    assert found(secrets, shown) == set()


@pytest.mark.parametrize("host", HOSTS)
def test_no_log_has_a_secret(cluster: Cluster, secrets: dict[str, str], host: str) -> None:
    assert found(secrets, cluster.on(host, LOGGED, timeout=120)) == set()


@pytest.mark.parametrize("host", HOSTS)
def test_no_process_has_a_secret_in_its_arguments_or_its_environment(
    cluster: Cluster, secrets: dict[str, str], host: str
) -> None:
    lines = cluster.on(host, PROCESSES, timeout=120).splitlines()

    assert any(line.startswith("PATRONI_NAME=") for line in lines), "environments are read"
    others = [line for line in lines if not PATRONI.match(line)]
    assert found(secrets, "\n".join(others)) == set()
