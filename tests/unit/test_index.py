"""The index in PostgreSQL: where it runs, how Patroni keeps it, and what the replicas are told of it."""

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from recorder import PASSWORDS, Recorder
from variants import hosts_with

from components import connections, etcd_member, patroni
from components.commands import leave_etcd
from settings.models.file_service import MAX_REPLICAS

Run = Callable[..., Recorder]
ROOT = Path(__file__).parent.parent.parent
COPIES_1 = {"file_service": {"copies": 1}}


def container(recorder: Recorder, service: str) -> dict[str, Any]:
    found: dict[str, Any] = recorder.services()[service]["taskSpec"]["containerSpec"]
    return found


def services(recorder: Recorder, prefix: str) -> list[str]:
    return sorted(name for name in recorder.services() if name.startswith(prefix))


@pytest.mark.parametrize(
    ("roles", "etcd", "postgres"),
    [
        (("manager",), ["etcd-host2"], ["postgres-host2"]),
        (("worker", "manager"), ["etcd-host3"], ["postgres-host2", "postgres-host3"]),
        (
            ("manager", "manager", "worker", "manager"),
            ["etcd-host2", "etcd-host3", "etcd-host5"],
            ["postgres-host2", "postgres-host3", "postgres-host5"],
        ),
    ],
)
def test_the_hosts_roles_decide_where_the_index_is(
    run_once: Run, values: dict[str, Any], roles: tuple[str, ...], etcd: list[str], postgres: list[str]
) -> None:
    recorder = run_once({**values, **hosts_with(*roles), **COPIES_1})

    assert services(recorder, "etcd-") == etcd
    assert services(recorder, "postgres-") == postgres
    for name in (*etcd, *postgres):
        host = name.partition("-")[2]
        service = recorder.services()[name]
        assert f"node.labels.swarm-transfer.host=={host}" in service["taskSpec"]["placement"]["constraints"]
        (volume,) = [mount for mount in container(recorder, name)["mounts"] if mount["type"] == "volume"]
        assert volume["source"] == name
        assert f"{name}-data-on-{host}" in recorder.of_type("docker:index/volume:Volume")
    hosts = ",".join(f"{name}:5432" for name in postgres)
    assert recorder.environment("files")["FILE_TRANSFER_POSTGRES_HOSTS"] == hosts
    standbys = "0" if len(postgres) == 1 else "1"
    assert recorder.environment("files")["FILE_TRANSFER_POSTGRES_STANDBYS"] == standbys


def test_slow_hosts_of_the_index_have_more_time_to_answer(run_once: Run, values: dict[str, Any]) -> None:
    recorder = run_once({**values, "patience": 5})

    assert recorder.environment("files")["FILE_TRANSFER_POSTGRES_PATIENCE"] == "5"


def test_the_index_is_on_the_hosts_in_the_setting(run_once: Run, values: dict[str, Any]) -> None:
    recorder = run_once({**values, "file_service": {"index_hosts": ["slave"]}})

    assert services(recorder, "postgres-") == ["postgres-slave"]
    assert {"postgres-image-master", "postgres-image-slave"} <= {r.name for r in recorder.resources}, "etcd needs it"


def test_every_host_is_named_in_its_own_environment_only(run_once: Run, values: dict[str, Any]) -> None:
    recorder = run_once(values)

    for name in services(recorder, "postgres-"):
        assert recorder.environment(name)["PATRONI_NAME"] == name
        assert container(recorder, name)["configs"][0]["configId"] == "postgres-config-id"
    assert "postgres-master" not in recorder.config("postgres-config")


def test_one_host_is_updated_after_the_other(run_once: Run, values: dict[str, Any]) -> None:
    assert "postgres-master" in run_once(values).dependencies["postgres-slave"]


def test_two_hosts_have_a_change_before_it_is_acknowledged() -> None:
    shared = yaml.safe_load(patroni.shared_config(standbys=1, connections=64))

    assert shared["synchronous_mode"] is True
    assert shared["synchronous_mode_strict"] is True
    assert shared["failsafe_mode"] is True
    assert shared["postgresql"]["parameters"]["synchronous_commit"] == "remote_apply"


def test_a_single_host_waits_for_no_standby() -> None:
    shared = yaml.safe_load(patroni.shared_config(standbys=0, connections=64))

    assert (shared["synchronous_mode"], shared["synchronous_mode_strict"]) == (False, False)


def test_the_shared_settings_are_those_of_a_new_database() -> None:
    whole = yaml.safe_load(patroni.config(standbys=1, connections=64))

    assert whole["bootstrap"]["dcs"] == yaml.safe_load(patroni.shared_config(standbys=1, connections=64))


def test_patroni_accepts_its_times_without_changing_them() -> None:
    shared = yaml.safe_load(patroni.shared_config(standbys=1, connections=64))

    assert shared["ttl"] >= 20, "Patroni's minimum"
    assert shared["loop_wait"] + 2 * shared["retry_timeout"] <= shared["ttl"]


def test_nobody_reaches_the_database_over_the_network_without_a_password_and_encryption() -> None:
    rules = yaml.safe_load(patroni.config(standbys=1, connections=64))["postgresql"]["pg_hba"]

    assert {rule.split()[-1] for rule in rules if rule.startswith("hostssl ")} == {"scram-sha-256"}
    assert [rule for rule in rules if not rule.startswith("hostssl ")] == ["local all patroni peer"]


def test_the_password_is_a_secret_of_postgresql_and_the_replicas(run_once: Run, values: dict[str, Any]) -> None:
    recorder = run_once(values)

    for name in ("postgres-password", "files-postgres-password"):
        assert recorder.secret(name) == PASSWORDS["postgres_password"]


@pytest.mark.parametrize("service", ["etcd-master", "postgres-master"])
def test_the_health_check_needs_no_other_host(run_once: Run, values: dict[str, Any], service: str) -> None:
    """Swarm gives names to healthy tasks only, and each needs the others' names before it has found them."""
    tests = container(run_once(values), service)["healthcheck"]["tests"]

    assert tests[-1] in ("http://127.0.0.1:2381/health?serializable=true", "https://localhost:8008/liveness")


def test_one_member_of_etcd_makes_the_cluster_and_the_others_join(run_once: Run, values: dict[str, Any]) -> None:
    recorder = run_once({**values, **hosts_with("manager", "manager", "manager"), **COPIES_1})

    starts = [container(recorder, name)["commands"][3:7] for name in services(recorder, "etcd-")]
    script = ["sh", "/opt/postgres/start_etcd.sh"]
    assert starts == [[*script, "etcd-host2", "new"], [*script, "etcd-host3", "join"], [*script, "etcd-host4", "join"]]


def test_all_members_of_etcd_share_the_name_that_patroni_knows(run_once: Run, values: dict[str, Any]) -> None:
    recorder = run_once({**values, **hosts_with("manager", "manager", "manager"), **COPIES_1})

    for name in services(recorder, "etcd-"):
        (network,) = recorder.services()[name]["taskSpec"]["networksAdvanceds"]
        assert network == {"id": "index-net-id", "aliases": ["etcd"]}
    assert yaml.safe_load(recorder.config("postgres-config"))["etcd3"]["hosts"] == ["etcd:2379"]


def test_more_managers_restart_no_member_of_etcd(run_once: Run, values: dict[str, Any]) -> None:
    def versions(*roles: str) -> dict[str, str]:
        recorder = run_once({**values, **hosts_with(*roles), **COPIES_1})
        return {name: recorder.environment(name)["SWARM_TRANSFER_VERSION"] for name in recorder.services()}

    before, after = versions("manager", "worker", "worker"), versions("manager", "manager", "manager")

    assert {"etcd-host3", "etcd-host4", "postgres-host4"} <= after.keys() - before.keys()
    assert {name for name in before if before[name] != after[name] and name.startswith("etcd")} == set()


def test_a_member_of_etcd_leaves_before_its_service_is_removed(run_once: Run, values: dict[str, Any]) -> None:
    recorder = run_once(values)

    assert recorder.commands()["etcd-master-leave"]["delete"] == leave_etcd(member="etcd-master")
    assert "etcd-master" in recorder.dependencies["etcd-master-leave"]


def test_each_waits_for_what_it_needs(run_once: Run, values: dict[str, Any]) -> None:
    ready = run_once(values).ready

    assert ready.index("etcd-master") < ready.index("postgres-master") < ready.index("postgres-slave")


# Certificates


def test_every_file_that_a_program_of_the_index_is_told_of_is_a_secret_of_its_service(
    run_once: Run, values: dict[str, Any]
) -> None:
    recorder = run_once(values)

    configuration = recorder.config("postgres-config")
    for name, told in (
        ("etcd-master", " ".join(container(recorder, "etcd-master")["commands"])),
        ("postgres-master", f"{configuration} {container(recorder, 'postgres-master')['healthcheck']}"),
    ):
        files = {secret["fileName"] for secret in container(recorder, name)["secrets"]}
        named = set(re.findall(r"/run/secrets/([a-z.-]+)", told))
        assert named == files - {"password"}, name


def test_etcd_answers_nobody_without_a_certificate(run_once: Run, values: dict[str, Any]) -> None:
    command = container(run_once(values), "etcd-master")["commands"]

    assert {"--client-cert-auth", "--peer-client-cert-auth", "--peer-cert-allowed-cn=etcd"} <= set(command)
    urls = [part for part in command if "-urls=" in part and "metrics" not in part]
    assert len(urls) == 4
    assert all("=https://" in part for part in urls)


def test_the_name_of_a_member_is_not_that_of_another_or_of_a_client() -> None:
    identity = etcd_member.member_identity("seed", "etcd-a")
    certificate = x509.load_pem_x509_certificate(identity.certificate.encode())
    client = x509.load_pem_x509_certificate(etcd_member.client_identity("seed").certificate.encode())

    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["etcd", "etcd-a", "localhost"]
    assert certificate.subject != client.subject, "a client cannot be a member"
    with pytest.raises(x509.ExtensionNotFound):  # etcd refuses a client that has other names than its address leads to
        client.extensions.get_extension_for_class(x509.SubjectAlternativeName)


# Connections


@pytest.mark.parametrize("replicas", [1, 3, 5, 6, 7, 8, 9, 16, 17, 32, 33, 100, MAX_REPLICAS])
def test_postgresql_allows_the_connections_of_all_replicas_one_more_and_a_backup(replicas: int) -> None:
    workers = (replicas + 1) * connections.WORKERS
    backups = 2 * (2 * connections.FOR_BACKUP + 1)  # one that runs, and a restore by hand
    open_at_once = workers * (connections.per_worker(replicas) + 1)  # one more to look at the host
    given_up = workers * connections.per_worker(replicas)

    assert connections.per_worker(replicas) >= 1
    assert open_at_once + given_up + backups <= connections.allowed(replicas)
    shared = yaml.safe_load(patroni.shared_config(standbys=1, connections=connections.allowed(replicas)))
    assert shared["postgresql"]["parameters"]["max_connections"] > connections.allowed(replicas)


def test_a_few_more_replicas_change_nothing() -> None:
    assert {
        (connections.per_worker(replicas), connections.allowed(replicas), connections.memory(replicas))
        for replicas in range(1, 6)
    } == {(3, 90, 159)}


def test_more_replicas_give_postgresql_more_memory(run_once: Run, values: dict[str, Any]) -> None:
    recorder = run_once({**values, "file_service": {"replicas": 8}})

    limits = recorder.services()["postgres-master"]["taskSpec"]["resources"]["limits"]
    assert limits["memoryBytes"] == connections.memory(8) * 2**20 > connections.memory(7) * 2**20


def test_replicas_are_told_their_connections(run_once: Run, values: dict[str, Any]) -> None:
    environment = run_once(values).environment("files")

    assert environment["FILE_TRANSFER_POSTGRES_CONNECTIONS"] == str(connections.per_worker(3))
    assert environment["FILE_TRANSFER_WORKERS"] == str(connections.WORKERS)


# The scripts of the image


def test_the_image_has_every_script_and_its_paths() -> None:
    folder = ROOT / "services/postgres"
    (copied,) = re.findall(r"^COPY (.*?) \./$", (folder / "Dockerfile").read_text(), re.DOTALL | re.MULTILINE)
    scripts = {path.name: path.read_text() for path in folder.glob("*.sh")}

    assert scripts.keys() <= {name for name in copied.split() if name != "\\"}
    for name, text in scripts.items():
        assert set(re.findall(r"/opt/postgres/(\w+\.sh)", text)) <= scripts.keys(), name


def test_patroni_can_run_its_scripts() -> None:
    named = set(re.findall(r"/opt/postgres/(\w+\.sh)", patroni.config(standbys=1, connections=64)))

    assert named == {"initdb.sh", "set_roles.sh"}
    assert all(os.access(ROOT / "services/postgres" / name, os.X_OK) for name in named)


@pytest.mark.parametrize(
    ("states", "made"),
    [
        ({}, True),
        ({"postgres-b": '{"state": "stopped", "role": "uninitialized"}'}, True),
        ({"postgres-b": '{"state": "running", "role": "primary"}'}, False),
        ({"postgres-b": '{"role": "uninitialized"}', "postgres-c": '{"state": "stopped", "role": "replica"}'}, False),
    ],
)
def test_a_new_database_is_made_only_when_no_other_host_has_one(
    tmp_path: Path, states: dict[str, str], *, made: bool
) -> None:
    (tmp_path / "wget").write_text(
        f"#!/bin/sh\nfor url; do :; done\nhost=${{url#https://}}\ncat {tmp_path}/${{host%%:*}}; exit 8\n"
    )
    (tmp_path / "initdb").write_text("#!/bin/sh\necho made\n")
    for program in ("wget", "initdb"):
        (tmp_path / program).chmod(0o755)
    for peer, state in states.items():
        (tmp_path / peer).write_text(state)
    scripts = ROOT / "services/postgres"
    script = (scripts / "initdb.sh").read_text().replace("/opt/postgres/new_database.sh", "initdb")
    script = script.replace("/opt/postgres", str(scripts))

    done = subprocess.run(
        ["sh", "-c", script],
        capture_output=True,
        text=True,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "POSTGRES_PEERS": " ".join(states)},
        check=False,
    )

    assert (done.stdout == "made\n") == made == (done.returncode == 0)


@pytest.mark.parametrize(
    ("with_majority", "found"),
    [("etcd-b", "https://etcd-b:2379\n"), ("localhost", "https://localhost:2379\n"), ("nobody", "")],
)
def test_members_of_etcd_are_asked_by_the_names_in_their_certificates(
    tmp_path: Path, with_majority: str, found: str
) -> None:
    programs = {
        "getent": """case $* in
            "ahostsv4 etcd") printf '10.0.15.2 STREAM etcd\\n10.0.15.2 DGRAM\\n10.0.15.3 STREAM\\n' ;;
            "hosts 10.0.15.2") echo '10.0.15.2 b23cd278ba33' ;;
            "hosts 10.0.15.3") echo '10.0.15.3 etcd-b.1.x9f.IndexNet' ;;
        esac""",
        "hostname": "echo b23cd278ba33",
        "etcdctl": f'[ "$ETCDCTL_ENDPOINTS" = "https://{with_majority}:2379" ]',
    }
    for name, text in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    script = ROOT / "services/postgres/etcd_cluster.sh"

    done = subprocess.run(
        ["sh", "-c", f". {script}; find_cluster"],
        capture_output=True,
        text=True,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        check=False,
    )

    assert done.stdout == found


@pytest.mark.parametrize("role", ["replica", "standby_leader", "demoted"])
def test_passwords_are_set_on_the_primary_only(role: str) -> None:
    script = ROOT / "services/postgres/set_roles.sh"

    subprocess.run(["sh", str(script), "on_role_change", role, "file-transfer"], check=True, env={"PATH": "/bin"})


def test_passwords_are_set_once_the_new_primary_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "asked").write_text("")
    psql = tmp_path / "psql"
    # It is being promoted when it is asked for the first two times.
    psql.write_text(
        f"""#!/bin/sh
        case "$*" in
          *pg_is_in_recovery*)
            echo asked >>{tmp_path}/asked
            [ "$(wc -l <{tmp_path}/asked)" -gt 2 ] && echo f || echo t ;;
          *) cat >{tmp_path}/statements ;;
        esac
        """
    )
    psql.chmod(0o755)
    (tmp_path / "sleep").symlink_to("/bin/true")
    script = ROOT / "services/postgres/set_roles.sh"

    subprocess.run(
        ["sh", str(script), "on_role_change", "primary", "file-transfer"],
        check=True,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
    )

    assert (tmp_path / "asked").read_text().count("asked") == 3
    assert "ALTER ROLE replicator PASSWORD" in (tmp_path / "statements").read_text()
