"""No service can become root of a host, or read another service's secrets and data: invariants of all services."""

import base64
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from certificates import self_signed
from pulumi.runtime import rpc
from recorder import PASSWORDS, Recorder, inputs_of
from variants import BACKUPS, BUCKET, SECRETS, VARIANTS

from components import container_api, engine_filter, users
from components.mounts import CONTAINERD_SOCKET

Run = Callable[..., Recorder]
ROOT = Path(__file__).parent.parent.parent

FILTERS = {"container-api", "docker-api"}
"""The only services with the Engine's socket or containerd's, which are root on the host."""

SOCKET = ("bind", engine_filter.SOCKET, engine_filter.SOCKET)
CONTAINERD = ("bind", CONTAINERD_SOCKET, CONTAINERD_SOCKET)
API = ("volume", container_api.VOLUME, container_api.FOLDER)
TMP = ("tmpfs", "", "/tmp")

MOUNTS = {
    "alertmanager": {("volume", "alertmanager", "/alertmanager")},
    "backup": {TMP, ("bind", "/srv/backup", "/backup")},
    "cadvisor": {
        API,
        ("bind", "/proc", "/rootfs/proc"),
        ("bind", "/sys", "/sys"),
        ("bind", "/var/lib/docker/image", "/rootfs/var/lib/docker/image"),
    },
    "container-api": {SOCKET, CONTAINERD, API},
    "docker-api": {SOCKET},
    "edge": set(),
    "etcd-master": {("volume", "etcd-master", "/data")},
    "files": {TMP},
    "grafana": {TMP, ("tmpfs", "", "/var/lib/grafana")},
    "influxdb-containers": {TMP, ("volume", "influxdb-containers", "/var/lib/influxdb")},
    "influxdb-vms": {TMP, ("volume", "influxdb-vms", "/var/lib/influxdb")},
    "node-exporter": {
        ("bind", "/", "/host/root"),
        *(("tmpfs", "", f"/host/root/{name}") for name in ("dev", "etc", "home", "proc", "root", "run", "sys")),
        *(("bind", f"/proc/{name}", f"/host/proc/{name}") for name in ("diskstats", "loadavg", "meminfo", "stat")),
        *(("bind", f"/proc/1/{name}", f"/host/proc/1/{name}") for name in ("mountinfo", "mounts")),
        ("bind", "/proc/1/net", "/host/proc/net"),
    },
    "object-store-master-master": {TMP, ("volume", "object-store-master-master", "/data")},
    "object-store-volume": {TMP, ("volume", "object-store-volume", "/data")},
    "postgres-master": {TMP, ("volume", "postgres-master", "/var/lib/postgresql")},
    "postgres-slave": {TMP, ("volume", "postgres-slave", "/var/lib/postgresql")},
    "prometheus": {("volume", "prometheus-config", "/etc/prometheus"), ("volume", "prometheus-data", "/prometheus")},
}
"""Every mount of every service, as (type, source, path in the container)."""


WRITABLE = {"backup": "/backup"}
"""The only services that may write to a path of the host, and where they see it: a directory for backups alone."""

CLUSTER_NET = {"alertmanager", "backup", "edge", "grafana", "influxdb-containers", "influxdb-vms", "prometheus"}
NETWORKS = {
    "api-net": {"container-api", "docker-api", "prometheus"},
    "cluster-net": CLUSTER_NET,
    "files-net": {"edge", "files", "prometheus"},
    "index-net": {"backup", "etcd-master", "files", "postgres-master", "postgres-slave", "prometheus"},
    "metrics-net": {"cadvisor", "node-exporter", "prometheus"},
    "outside-net": {"files"},
    "storage-net": {"backup", "files", "object-store-master-master", "object-store-volume", "prometheus"},
}
"""Who is on each network."""

LEADS_OUT = {"cluster-net", "outside-net"}
"""The networks with a way out of the cluster, and to the hosts' own ports."""


def mounts(service: dict[str, Any]) -> set[tuple[str, str, str]]:
    listed = service["taskSpec"]["containerSpec"].get("mounts", [])
    return {(mount["type"], mount.get("source", ""), mount["target"]) for mount in listed}


def container(service: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = service["taskSpec"]["containerSpec"]
    return spec


def program_of(service: str) -> str:
    """Return what a service runs. Several hosts have a service each for one program, and it has the same user there."""
    return re.sub(r"^(etcd|object-store-master|postgres)-.+", r"\1", service)


@pytest.fixture(params=VARIANTS)
def services(request: pytest.FixtureRequest, run_once: Run, values: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """All services of each kind of cluster."""
    found: dict[str, dict[str, Any]] = run_once({**values, **VARIANTS[request.param]}, secrets=SECRETS).services()
    return found


def test_every_mount_of_every_service_is_known(run_once: Run, values: dict[str, Any]) -> None:
    recorder = run_once({**values, **BACKUPS}, secrets=SECRETS)

    assert {name: mounts(service) for name, service in recorder.services().items()} == MOUNTS


def test_another_storage_adds_the_files_volume_at_most(services: dict[str, dict[str, Any]]) -> None:
    files = ("volume", "files", "/data")
    directory = {"files": {TMP, files}, "backup": {*MOUNTS["backup"], files}}
    known = MOUNTS if any(name.startswith("postgres") for name in services) else {**MOUNTS, **directory}

    assert {name: mounts(service) for name, service in services.items()} == {name: known[name] for name in services}


def test_only_the_backups_see_the_volume_of_another_service_and_only_to_read_it(
    services: dict[str, dict[str, Any]],
) -> None:
    files = {
        name: mount.get("readOnly", False)
        for name, service in services.items()
        for mount in container(service).get("mounts", [])
        if (mount["type"], mount.get("source")) == ("volume", "files")
    }

    in_object_store = any(name.startswith("postgres") for name in services)
    assert files == ({} if in_object_store else {"files": False, **dict.fromkeys({"backup"} & services.keys(), True)})


def test_a_service_shares_a_network_only_with_those_it_speaks_with(services: dict[str, dict[str, Any]]) -> None:
    found: dict[str, set[str]] = {}
    for name, service in services.items():
        for joined in service["taskSpec"]["networksAdvanceds"]:
            found.setdefault(joined["id"].removesuffix("-id"), set()).add(name)

    assert found == {network: NETWORKS[network] & services.keys() for network in found}


@pytest.mark.parametrize("storage", ["cluster", "s3"])
def test_only_what_is_published_or_calls_outside_has_a_way_out(
    run_once: Run, values: dict[str, Any], storage: str
) -> None:
    recorder = run_once({**values, **VARIANTS[storage]}, secrets=SECRETS)

    networks = recorder.of_type("docker:index/network:Network")
    leads_out = {name for name, network in networks.items() if not network.get("internal")}
    assert leads_out == LEADS_OUT & networks.keys()
    assert ("outside-net" in networks) == (storage == "s3")


def test_only_the_filters_have_the_sockets_of_engine_and_containerd(services: dict[str, dict[str, Any]]) -> None:
    assert {name for name, service in services.items() if SOCKET in mounts(service)} == FILTERS
    assert {name for name, service in services.items() if CONTAINERD in mounts(service)} == {"container-api"}
    for name, service in services.items():
        covered = {target for kind, _, target in mounts(service) if kind == "tmpfs"}
        for kind, source, target in mounts(service) - {SOCKET, CONTAINERD}:
            assert kind != "bind" or not source.startswith(("/run", "/var/run")), name
            # A folder above the socket's has the socket too, unless something covers it.
            assert (kind, source) != ("bind", "/var"), name
            assert (kind, source) != ("bind", "/") or f"{target}/run" in covered, name


def test_the_hosts_processes_are_open_only_to_a_service_that_shares_its_user_with_nothing(
    services: dict[str, dict[str, Any]],
) -> None:
    for name, service in services.items():
        covered = {target for kind, _, target in mounts(service) if kind == "tmpfs"}
        sees = {
            (source, target)
            for kind, source, target in mounts(service)
            if kind == "bind" and (source == "/proc" or (source == "/" and f"{target}/proc" not in covered))
        }
        assert bool(sees) == (name == "cadvisor"), name
    user = container(services["cadvisor"])["user"]
    assert user == f"0:{users.CADVISOR_GROUP}", "with group 0, it could enter the filters by /proc/PID/root"


def test_no_two_programs_share_a_user(services: dict[str, dict[str, Any]]) -> None:
    programs: dict[str, set[str]] = {}
    for name, service in services.items():
        programs.setdefault(container(service)["user"], set()).add(program_of(name))

    assert all(len(names) == 1 for names in programs.values()), programs
    numbers = [user.split(":") for user in programs]
    groups = [group for _, group in numbers]
    assert len(set(groups)) == len(groups), "a group is shared"
    own = [uid for uid, _ in numbers if uid != "0"]
    assert len(set(own)) == len(own), "a user is shared"
    for uid, group in numbers:
        assert uid in ("0", group)
        assert group not in ("0", "65534"), "root's and nobody's are also those of the hosts' processes"


def test_only_its_own_service_can_read_a_secret(services: dict[str, dict[str, Any]]) -> None:
    secrets = 0
    for name, service in services.items():
        for secret in container(service).get("secrets", []):
            secrets += 1
            uid, group = container(service)["user"].split(":")
            assert (secret["fileUid"], secret["fileGid"], secret["fileMode"]) == (uid, group, 0o400), name
    assert secrets > 5


@pytest.mark.parametrize("storage", ["cluster", "directory"])
def test_a_volume_belongs_to_the_user_of_the_service_that_writes_to_it(
    run_once: Run, values: dict[str, Any], storage: str
) -> None:
    recorder = run_once({**values, **BACKUPS, "file_service": {"storage": storage}}, secrets=SECRETS)
    scripts = [command.get("create") or "" for command in recorder.commands().values()]
    variables = [inputs_of(script)[0] for script in scripts if "--entrypoint chown" in script]
    owners = {known["VOLUME"]: users.alone(int(known["OWNER"])) for known in variables}

    mounted = {
        (mount["source"], container(service)["user"])
        for service in recorder.services().values()
        for mount in container(service).get("mounts", [])
        if mount["type"] == "volume" and not mount.get("readOnly")
        if mount["source"] != container_api.VOLUME  # both of its services run as root
    }
    assert mounted == set(owners.items())


def test_no_service_can_gain_a_privilege(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        spec = container(service)
        assert spec["capDrops"] == ["ALL"], name
        assert not {"capAdds", "privileges", "sysctl", "groups", "hosts"} & spec.keys(), name
        assert spec["readOnly"] is True, name
        for mount in spec.get("mounts", []):
            assert mount["type"] in ("bind", "tmpfs", "volume"), name
            is_writable = mount["type"] == "bind" and not mount.get("readOnly")
            assert not is_writable or WRITABLE.get(name) == mount["target"], name
            assert "bindOptions" not in mount, "what is mounted on the host later must not appear in a container"


def test_no_secret_is_in_an_input_that_is_not_secret(run_once: Run, values: dict[str, Any]) -> None:
    certificate = self_signed(addresses=["192.168.50.2"])
    secrets = {
        **PASSWORDS,
        "storage_key": "storage-Horse-battery",
        "backup_password": "backup-Horse-battery",
        "backup_storage_key": "backup-key-Horse-battery",
        "edge_certificate": certificate,
        "tokens": {"ci": {"token": "token-Horse-battery-and-thirteen-more", "scopes": ["read"]}},
        "alerting": {"receiver": "webhook", "webhook_url": "https://hook.example/webhook-Horse-battery"},
    }
    settings = {**values, **secrets, "file_service": {"storage": "s3", "s3": BUCKET}, "backup": {"s3": BUCKET}}
    others = ("storage-Horse", "token-Horse", "webhook-Horse", "backup-Horse", "backup-key-Horse")
    texts = [text.encode() for text in (*PASSWORDS.values(), *others)]
    key = certificate.partition("-----BEGIN PRIVATE KEY-----")[2].split()[1]

    recorder = run_once(settings, secrets=tuple(secrets))

    secret_inputs = 0
    for resource in recorder.resources:
        assert "SWMTKN" not in str(list(in_the_clear(resource.inputs))), resource.name
        for value in in_the_clear(resource.inputs):
            for known in (*texts, key.encode()):
                assert known not in value.encode(), resource.name
                assert known not in decoded(value), resource.name
        secret_inputs += rpc._special_sig_key in repr(resource.inputs)
    assert secret_inputs > 10


def in_the_clear(value: Any) -> Iterator[str]:
    """Yield every text in these inputs that Pulumi does not keep as a secret."""
    if isinstance(value, dict):
        if value.get(rpc._special_sig_key) != rpc._special_secret_sig:
            for key, inner in value.items():
                yield key
                yield from in_the_clear(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from in_the_clear(inner)
    else:
        yield str(value)


def decoded(text: str) -> bytes:
    """Return the bytes that this is the base64 of, if it is."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""


def test_our_images_have_the_users_that_need_a_name() -> None:
    postgres = (ROOT / "services/postgres/Dockerfile").read_text()
    files = (ROOT / "services/file_transfer/Dockerfile").read_text()

    assert f"useradd --uid {users.POSTGRES} " in postgres
    assert f"USER {users.POSTGRES}:{users.POSTGRES}\n" in postgres
    assert f"USER {users.FILE_SERVICE}:{users.FILE_SERVICE}\n" in files


def test_the_scratch_volume_is_removed_with_its_host(run_once: Run, values: dict[str, Any]) -> None:
    commands = run_once(values).commands()

    for host in ("master", "slave"):
        assert f"\nVOLUME={container_api.VOLUME}\n" in commands[f"{host}-images"]["delete"]
