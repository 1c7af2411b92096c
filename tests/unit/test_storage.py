"""The three kinds of storage: the cluster's own object store, a directory on one host, an external bucket."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.x509.oid import NameOID
from recorder import PASSWORDS, Recorder, inputs_of
from variants import hosts_with

import settings
from components import seaweedfs
from components.file_service import most_per_host
from file_transfer.settings import S3Settings, Settings, load

Run = Callable[..., Recorder]
STORE = ("etcd-", "object-store-", "postgres-")
EXTERNAL_BUCKET = {
    "storage": "s3",
    "s3": {"endpoint": "https://s3.example", "bucket": "team", "region": "eu-1", "prefix": "files", "access_key": "AK"},
}


def program_of(recorder: Recorder, service: str) -> list[str]:
    """Return the words of the service's command line, also of one that a shell runs."""
    return " ".join(recorder.services()[service]["taskSpec"]["containerSpec"]["commands"]).split()


def replica_settings(recorder: Recorder, folder: Path) -> Settings:
    """Return what a replica reads from the environment and the secrets that the program gives it."""
    container = recorder.services()["files"]["taskSpec"]["containerSpec"]
    for secret in container.get("secrets", []):
        (folder / secret["fileName"]).write_text(recorder.secret(secret["secretId"].removesuffix("-id")))
    environment = {**recorder.environment("files"), **container.get("env", {})}
    return load({name: value.replace("/run/secrets", str(folder)) for name, value in environment.items()})


# The cluster's own object store


def test_masters_ask_for_two_copies(run_once: Run, values: dict[str, Any]) -> None:
    assert "-defaultReplication=001" in program_of(run_once(values), "object-store-master-master")


@pytest.mark.parametrize(("copies", "code"), [(1, "000"), (2, "001"), (3, "002")])
def test_each_copy_is_on_a_different_server(copies: int, code: str) -> None:
    assert seaweedfs.replication(copies) == code


def test_every_host_runs_a_volume_server_with_its_own_volume(run_once: Run, values: dict[str, Any]) -> None:
    recorder = run_once(values)

    service = recorder.services()["object-store-volume"]
    assert service["mode"] == {"global": True}
    (mount,) = [m for m in service["taskSpec"]["containerSpec"]["mounts"] if m["type"] == "volume"]
    assert (mount["source"], mount["target"]) == ("object-store-volume", "/data")
    for host in ("master", "slave"):
        made = recorder.commands()[f"object-store-data-{host}"]
        for script in (made["create"], made["delete"]):
            variables, _ = inputs_of(script)
            assert variables["VOLUME"] == "object-store-volume"


@pytest.mark.parametrize(
    ("roles", "masters"),
    [
        (("manager", "worker"), ["host2"]),
        (("worker", "manager", "manager"), ["host3"]),
        (("manager", "manager", "worker", "manager"), ["host2", "host3", "host5"]),
        (("manager",) * 5, ["host2", "host3", "host4"]),
    ],
)
def test_there_are_one_or_three_masters_that_know_each_other(
    run_once: Run, values: dict[str, Any], roles: tuple[str, ...], masters: list[str]
) -> None:
    recorder = run_once({**values, **hosts_with(*roles), "replacing_manager": True})

    names = [f"object-store-master-{host}" for host in masters]
    assert sorted(name for name in recorder.services() if "-master-" in name) == names
    port = 9334 if len(names) > 1 else 9333  # so that three masters do not find the one that is to remain of them
    addresses = ",".join(f"{name}:{port}" for name in names)
    for name in names:
        assert f"-ip={name}" in program_of(recorder, name)
        assert (f"-peers={addresses}" if len(names) > 1 else "-peers=none") in program_of(recorder, name)
    assert recorder.environment("files")["FILE_TRANSFER_SEAWEEDFS_MASTERS"] == addresses
    assert f"-master={addresses}" in program_of(recorder, "object-store-volume")


def test_index_and_object_store_publish_nothing(run_once: Run, values: dict[str, Any]) -> None:
    for name, service in run_once(values).services().items():
        assert not name.startswith(STORE) or not service["endpointSpec"].get("ports"), name


def test_for_five_replicas_index_and_object_store_are_limited_to_512_mib_on_a_manager_and_320_on_a_worker(
    run_once: Run, values: dict[str, Any]
) -> None:
    limits = {"master": 0, "slave": 0}
    for name, service in run_once({**values, "file_service": {"replicas": 5}}).services().items():
        if name.startswith(STORE):
            on = [host for host in limits if "global" in service["mode"] or name.endswith(f"-{host}")]
            for host in on:
                limits[host] += service["taskSpec"]["resources"]["limits"]["memoryBytes"]

    assert 0 < limits["master"] <= 512 * 2**20
    assert 0 < limits["slave"] <= 320 * 2**20


def test_the_heap_limit_of_every_program_is_below_its_memory_limit(run_once: Run, values: dict[str, Any]) -> None:
    recorder = run_once(values)

    for name, service in recorder.services().items():
        if name.startswith(("object-store", "etcd")):
            task = service["taskSpec"]
            heap = int(recorder.environment(name)["GOMEMLIMIT"].removesuffix("MiB")) * 2**20
            assert heap < 0.9 * task["resources"]["limits"]["memoryBytes"], name


def test_replicas_run_on_any_host_and_every_host_has_the_image(run_once: Run, values: dict[str, Any]) -> None:
    recorder = run_once(values)

    files = recorder.services()["files"]
    assert files["taskSpec"]["placement"]["constraints"] == ["node.platform.os==linux"]
    assert not [m for m in files["taskSpec"]["containerSpec"]["mounts"] if m["type"] == "volume"]
    assert {"files-image-master", "files-image-slave"} <= {r.name for r in recorder.resources}


@pytest.mark.parametrize(("replicas", "hosts", "most"), [(3, 2, 2), (4, 2, 3), (3, 3, 2), (1, 2, 1), (3, 1, 4)])
def test_no_host_runs_all_replicas_and_an_update_has_room_for_one_more(replicas: int, hosts: int, most: int) -> None:
    assert most_per_host(replicas, hosts=hosts) == most


def test_swarm_spreads_the_replicas(run_once: Run, values: dict[str, Any]) -> None:
    assert run_once(values).services()["files"]["taskSpec"]["placement"]["maxReplicas"] == most_per_host(
        3, hosts=len(values["hosts"])
    )


def test_replicas_know_index_and_object_store(run_once: Run, values: dict[str, Any], tmp_path: Path) -> None:
    recorder = run_once({**values, "file_service": {"copies": 1}})

    told = replica_settings(recorder, tmp_path)
    assert told.postgres
    assert told.seaweedfs
    assert told.postgres.password == PASSWORDS["postgres_password"]
    assert told.seaweedfs.copies == 1
    addresses = [*(f"{host}:{port}" for host, port in told.postgres.hosts), *told.seaweedfs.masters]
    assert {address.partition(":")[0] for address in (*addresses, *told.seaweedfs.volume_servers)} == {
        name for name in recorder.services() if name.startswith(("postgres-", "object-store-"))
    }
    assert told.seaweedfs.node == "{{.Node.ID}}"


def test_only_replicas_and_volume_servers_have_the_keys_of_the_chunks(
    run_once: Run, values: dict[str, Any], tmp_path: Path
) -> None:
    recorder = run_once(values)

    told = replica_settings(recorder, tmp_path).seaweedfs
    assert told
    security = recorder.secret("object-store-volume-security")
    assert security == seaweedfs.volume_server_security(write_key=told.write_key, read_key=told.read_key)
    holders = {
        name
        for name, service in recorder.services().items()
        for secret in service["taskSpec"]["containerSpec"].get("secrets", [])
        for key in (told.write_key, told.read_key)
        if key in recorder.secret(secret["secretId"].removesuffix("-id"))
    }
    assert holders == {"files", "object-store-volume"}


def test_each_program_has_the_certificates_that_it_needs_and_no_others(run_once: Run, values: dict[str, Any]) -> None:
    recorder = run_once(values)

    found: dict[str, set[tuple[str, str]]] = {}
    for name, service in recorder.services().items():
        for secret in service["taskSpec"]["containerSpec"].get("secrets", []):
            text = recorder.secret(secret["secretId"].removesuffix("-id"))
            if "PRIVATE KEY" in text:
                certificate = x509.load_pem_x509_certificate(text.encode())
                found.setdefault(name, set()).add((common_name(certificate.issuer), common_name(certificate.subject)))
    assert found == {
        "etcd-master": {("etcd", "etcd"), ("etcd", "client")},
        "files": {("object-store", seaweedfs.REPLICA)},
        "object-store-master-master": {("object-store", seaweedfs.MASTER)},
        "object-store-volume": {("object-store", seaweedfs.VOLUME_SERVER)},
        "postgres-master": {("postgres", "postgres-master"), ("etcd", "client")},
        "postgres-slave": {("postgres", "postgres-slave"), ("etcd", "client")},
    }


def common_name(name: x509.Name) -> str:
    return str(name.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


# A directory, and an external bucket


def test_with_a_directory_all_replicas_run_on_its_host(run_once: Run, values: dict[str, Any], tmp_path: Path) -> None:
    recorder = run_once({**values, "file_service": {"storage": "directory", "storage_host": "slave"}})

    files = recorder.services()["files"]
    assert files["taskSpec"]["placement"]["constraints"] == [
        "node.labels.swarm-transfer.host==slave",
        "node.platform.os==linux",
    ]
    (volume,) = [m for m in files["taskSpec"]["containerSpec"]["mounts"] if m["type"] == "volume"]
    told = replica_settings(recorder, tmp_path)
    assert (str(told.data), told.postgres, told.seaweedfs, told.s3) == (volume["target"], None, None, None)
    assert not [name for name in recorder.services() if name.startswith(STORE)]
    assert {network["id"] for network in files["taskSpec"]["networksAdvanceds"]} == {"files-net-id"}


def test_a_directory_needs_no_secret(values: dict[str, Any]) -> None:
    del values["postgres_password"]

    assert settings.parse({**values, "file_service": {"storage": "directory"}}).postgres_password is None


def test_an_external_bucket_replaces_the_object_store_but_not_the_index(
    run_once: Run, values: dict[str, Any], tmp_path: Path
) -> None:
    key = "storage-Horse-battery"
    recorder = run_once(
        {**values, "file_service": EXTERNAL_BUCKET, "storage_key": key}, secrets=(*PASSWORDS, "storage_key")
    )

    assert replica_settings(recorder, tmp_path).s3 == S3Settings(
        endpoint="https://s3.example", bucket="team", region="eu-1", prefix="files", access_key="AK", secret_key=key
    )
    services = {name for name in recorder.services() if name.startswith(STORE)}
    assert services == {"etcd-master", "postgres-master", "postgres-slave"}


# The service


def test_the_limits_in_the_settings_reach_the_replicas(run_once: Run, values: dict[str, Any], tmp_path: Path) -> None:
    limits = {"max_file_bytes": 10, "quota_bytes": 20, "min_free_bytes": 30, "grace": 60}
    names = {"allowed_hosts": ["*.b.example", "a.example"], "allowed_origins": ["https://app.example.org:8443"]}
    recorder = run_once({**values, "file_service": {**limits, **names}})

    told = replica_settings(recorder, tmp_path)
    assert (told.max_file_bytes, told.quota_bytes, told.min_free_bytes, told.grace_seconds) == (10, 20, 30, 60)
    assert told.browsers.hosts == set(names["allowed_hosts"])
    assert told.browsers.origins == set(names["allowed_origins"])
    assert recorder.services()["files"]["taskSpec"]["containerSpec"]["stopGracePeriod"] == "1m10s"


def test_tokens_are_a_secret_and_optional(run_once: Run, values: dict[str, Any], tmp_path: Path) -> None:
    token = "a-token-of-some-length-that-is-enough"
    limits = {"prefix": "ci-", "expires": "2030-01-31", "ttl": "7d", "quota_bytes": 5 * 10**9}
    tokens = {
        "ci": {"token": token, "scopes": ["read", "write"]},
        "old": {"token": token[::-1], "scopes": ["write"], **limits},
    }

    assert "FILE_TRANSFER_TOKENS_FILE" not in run_once(values).environment("files")
    recorder = run_once(
        {**values, "tokens": tokens, "file_service": {"anonymous": ["read"]}}, secrets=(*PASSWORDS, "tokens")
    )
    assert recorder.environment("files")["FILE_TRANSFER_TOKENS_FILE"] == "/run/secrets/tokens"
    assert json.loads(recorder.secret("files-tokens")) == {
        "ci": {"sha256": hashlib.sha256(token.encode()).hexdigest(), "scopes": ["read", "write"]},
        "old": {"sha256": hashlib.sha256(token[::-1].encode()).hexdigest(), "scopes": ["write"], **limits},
    }
    told = replica_settings(recorder, tmp_path).tokens
    assert told
    assert told.holder("", "read").name == ""
    assert told.holder(f"Bearer {token[::-1]}", "write").prefix == "ci-"
    assert told.holder(f"Bearer {token[::-1]}", "write").quota_bytes == 5 * 10**9
    assert told.holder(f"Bearer {token}", "write").quota_bytes == 0, "no limit"


def test_an_empty_list_of_tokens_lets_nobody_in(run_once: Run, values: dict[str, Any]) -> None:
    recorder = run_once({**values, "tokens": {}})

    assert "FILE_TRANSFER_TOKENS_FILE" in str(recorder.services()["files"]["taskSpec"]["containerSpec"])
    assert recorder.secret("files-tokens") == "{}"


def test_prometheus_scrapes_the_object_store_on_its_own_network() -> None:
    with open("monitoring/prometheus.yml") as file:  # noqa: PTH123 - relative to the checkout
        jobs = {job["job_name"]: job for job in yaml.safe_load(file)["scrape_configs"]}

    assert jobs["object-store"]["relabel_configs"][0]["regex"] == "StorageNet;running;object-store-.+"
    assert jobs["object-store"]["relabel_configs"][1]["replacement"] == f"$1:{seaweedfs.METRICS_PORT}"
