"""Each bad setting is one line of the error, with the field, the value and the remedy."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from variants import BUCKET

import settings
from components.ssh import Jump

ROOT = Path(__file__).parent.parent.parent
TOKEN = {"token": "0123456789abcdef0123456789abcdef", "scopes": ["read"]}


def error_of(values: dict[str, Any]) -> str:
    with pytest.raises(settings.SettingsError) as raised:
        settings.parse(values)
    return str(raised.value)


# What is committed: the user's own hosts may be in the working copy.
@pytest.mark.parametrize("file", ["Pulumi.dev.yaml", "Pulumi.lab.yaml"])
def test_the_hosts_in_the_repository_are_valid(values: dict[str, Any], file: str) -> None:
    show = ["git", "show", f"HEAD:{file}"]
    text = subprocess.run(show, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    committed = yaml.safe_load(text)["config"]
    plain = {key.partition(":")[2]: value for key, value in committed.items()}

    parsed = settings.parse({**values, **plain})

    assert [(host.name, str(host.address), host.role, host.memory) for host in parsed.hosts] == [
        ("master", "192.168.50.2", "manager", 4096),
        ("slave", "192.168.50.3", "worker", 2048),
    ]
    assert parsed.file_service.replicas == 3


Change = Callable[[dict[str, Any]], Any]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda v: v.update(replcas=3), ("swarm-transfer:replcas", '"3"', "remove it, or use one of")),
        (lambda v: v["hosts"][1].update(addres="x"), ("hosts[1].addres", '"x"', "address, cpus")),
        (
            lambda v: v.update(file_service={"storage": "s3", "s3": {**BUCKET, "regoin": "eu-1"}}),
            ("swarm-transfer:file_service.s3.regoin", '"eu-1"', "access_key, bucket, endpoint, prefix, region"),
        ),
        (lambda v: v["hosts"][1].update(name="master"), ("hosts", '"master"', "its own name")),
        (lambda v: v["hosts"][1].update(address="192.168.50.2"), ("hosts", '"192.168.50.2"', "its own address")),
        (lambda v: v["hosts"][0].update(role="worker"), ("hosts", "no host has the role manager", "role: manager")),
        (
            lambda v: v["hosts"][0].update(state="gone"),
            ("hosts", "every manager", "(master)", "docs/operations/hosts.md"),
        ),
        (lambda v: v["hosts"][1].update(state="gone"), ("file_service.copies", '"2"', "there are 1 hosts", "lower it")),
        (
            lambda v: (
                v["hosts"][1].update(state="gone"),
                v.update(file_service={"copies": 1}, monitoring={"host": "slave"}),
            ),
            ("monitoring.host", '"slave" is gone', "name another host"),
        ),
        (
            lambda v: v["hosts"][1].update(role="manager"),
            ("swarm-transfer:hosts", '"master" and "slave" are the managers', "either of two", "one or three"),
        ),
        (
            lambda v: v.update(firewall={"ports": [9100, 7946]}),
            ("firewall.ports", '"7946"', "nobody else", "remove it"),
        ),
        (lambda v: v.update(firewall={"ports": [2377]}), ("firewall.ports", '"2377"', "nobody else", "remove it")),
        (lambda v: v.update(firewall={"ports": [65536]}), ("firewall.ports", '"65536"', "less than or equal to 65535")),
        (lambda v: v.update(firewall={"prots": [1]}), ("swarm-transfer:firewall.prots", '"[1]"', "one of: ports")),
        (lambda v: v.update(firewall=True), ("swarm-transfer:firewall", '"True"', "change it")),
        (lambda v: v.update(backup={}, backup_password="x" * 12), ("backup", "either directory or s3", "set one")),
        (
            lambda v: v.update(backup={"directory": "/srv", "s3": BUCKET}, backup_password="x" * 12),
            ("backup", "either directory or s3", "set one"),
        ),
        (
            lambda v: v.update(backup={"directory": "/srv"}),
            ("backup_password is missing", "config set --secret swarm-transfer:backup_password"),
        ),
        (
            lambda v: v.update(backup={"s3": BUCKET}, backup_password="x" * 12),
            ("backup_storage_key is missing", "config set --secret swarm-transfer:backup_storage_key"),
        ),
        (
            lambda v: v.update(backup={"directory": "/srv", "host": "third"}, backup_password="x" * 12),
            ("backup.host", 'no host is named "third"', "use a name from hosts"),
        ),
        *(
            (
                lambda v, path=path: v.update(backup={"directory": path}, backup_password="x" * 12),
                ("backup.directory", f'"{path}"', "absolute path"),
            )
            for path in ("srv", "/", "/srv/../etc", "/srv/a:b", "/srv/$HOME")
        ),
        (
            lambda v: v.update(backup={"directory": "/srv", "every": "daily"}, backup_password="x" * 12),
            ("backup.every", '"daily"'),
        ),
        (
            lambda v: v.update(
                backup={"directory": "/srv", "host": "slave"},
                backup_password="x" * 12,
                file_service={"storage": "directory"},
            ),
            ("backup.host", '"slave"', "`storage: directory`", "makes the backups: remove it"),
        ),
        (
            lambda v: v.update(
                backup={"directory": "/srv", "host": "master"},
                backup_password="x" * 12,
                file_service={"storage": "directory", "storage_host": "slave"},
            ),
            ("backup.host", '"master"', "`storage: directory`", 'remove it, or set it to "slave"'),
        ),
        (lambda v: v["hosts"][0].update(role="boss"), ("hosts[0].role", '"boss"', "'manager' or 'worker'")),
        (lambda v: v["hosts"][0].update(name="a" * 39), ("hosts[0].name", "38 characters")),
        (lambda v: v["hosts"][0].update(name="Größe"), ("hosts[0].name", '"Größe"', "lower-case letters")),
        (lambda v: v["hosts"][1].update(address="10.1.1.1"), ('"10.1.1.1"', '"slave"', "private_cidr")),
        (lambda v: v["hosts"][1].update(address="1.2.3"), ("hosts[1].address", '"1.2.3"', "change it")),
        (lambda v: v.update(hosts=[]), ("hosts", "no host has the role manager", "role: manager")),
        (
            lambda v: v.update(file_service={"replicas": 0}),
            ("file_service.replicas", '"0"', "greater than or equal to 1"),
        ),
        (
            lambda v: v.update(file_service={"storage": "directory", "storage_host": "x"}),
            ("storage_host", '"x"', "a name from hosts"),
        ),
        (
            lambda v: v.update(file_service={"storage_host": "slave"}),
            ("file_service", 'storage_host: "slave"', '"cluster"', "set index_hosts"),
        ),
        (
            lambda v: v.update(file_service={"index_hosts": ["master", "x"]}),
            ("index_hosts", '"x"', "a name from hosts"),
        ),
        (
            lambda v: v.update(file_service={"index_hosts": ["master", "master"]}),
            ("file_service", 'index_hosts: "master, master"', "name each host once"),
        ),
        (lambda v: v.update(file_service={"index_hosts": []}), ("file_service.index_hosts", "1")),
        (
            lambda v: v.update(file_service={"storage": "directory", "index_hosts": ["master"]}),
            ("file_service", 'index_hosts: "master"', "set storage_host"),
        ),
        (lambda v: v.update(network={"subnet": "192.168.50.0/25"}), ("network.subnet", "overlaps", "another subnet")),
        (lambda v: v.pop("private_cidr"), ("private_cidr is missing", "set it")),
        (lambda v: v.pop("operator_password"), ("operator_password is missing", "pulumi config set --secret")),
        (lambda v: v.update(operator_password="short"), ("operator_password", "fewer than 12", "config set --secret")),
        (
            lambda v: v.update(operator_password="it's-a-long-one"),
            ("operator_password", "quote", "config set --secret"),
        ),
        (
            lambda v: v.update(influxdb_reader_password="has-a\\backslash"),
            ("influxdb_reader_password", "backslash", "config set --secret"),
        ),
        (lambda v: v.pop("influxdb_writer_password"), ("influxdb_writer_password is missing", "config set --secret")),
        (lambda v: v.update(monitoring={"retention": "30 days"}), ("monitoring.retention", '"30 days"', "such as 30d")),
        (lambda v: v.update(monitoring={"retention": "10m"}), ("monitoring.retention", '"10m"', "one hour or more")),
        (lambda v: v.update(monitoring={"scrape_interval": 1}), ("monitoring.scrape_interval", '"1"', "5")),
        (lambda v: v.update(monitoring={"publish": ["grfana"]}), ("monitoring.publish", '"grfana"', "'grafana'")),
        (lambda v: v.update(monitoring={"host": "x"}), ("monitoring.host", '"x"', "a name from hosts")),
        (lambda v: v.update(alerting={"receiver": "pager"}), ("alerting.receiver", '"pager"', "'webhook' or 'email'")),
        (lambda v: v.update(alerting={"receiver": "webhook"}), ("alerting", "needs webhook_url", "set it")),
        (
            lambda v: v.update(alerting={"receiver": "webhook", "webhook_url": "alerts.example"}),
            ("alerting", "webhook_url", "not an http or https address"),
        ),
        (
            lambda v: v.update(
                alerting={"receiver": "email", "email_to": "a@b", "email_from": "c@d", "smtp_host": "mail"}
            ),
            ("alerting", "smtp_host", '"mail"', "HOST:PORT"),
        ),
        (lambda v: v.update(alerting={"for": {"NodeMising": "1m"}}), ("alerting", '"NodeMising"', "NodeMissing")),
        (lambda v: v.update(alerting={"for": {"NodeMissing": "soon"}}), ("alerting", '"soon"', "NodeMissing", "s, m")),
        (
            lambda v: v.update(network={"api_subnet": "10.0.10.128/25"}),
            ("network.api_subnet", "overlaps network.subnet", "another subnet"),
        ),
        (
            lambda v: v.update(monitoring={"publish": ["grafana"], "grafana": False}),
            ("monitoring.publish", '"grafana" does not run', "do not publish it"),
        ),
        (
            lambda v: v.update(edge_port=9090, monitoring={"publish": ["prometheus"]}),
            ("edge_port", '"9090"', "prometheus", "another port"),
        ),
        (
            lambda v: v.update(edge_port=8087, monitoring={"publish": ["influxdb"]}),
            ("edge_port", '"8087"', "influxdb-containers", "another port"),
        ),
        (lambda v: v.pop("postgres_password"), ("postgres_password is missing", '"cluster"', "config set --secret")),
        (lambda v: v.update(postgres_password="short"), ("postgres_password", "fewer than 12", "config set --secret")),
        (
            lambda v: v.update(file_service={"storage": "s3", "s3": BUCKET}),
            ("storage_key is missing", '"s3"', "config set --secret"),
        ),
        (lambda v: v.update(storage_key="short"), ("storage_key", "fewer than 12", "config set --secret")),
        (
            lambda v: v.update(file_service={"storage": "disk"}),
            ("file_service.storage", '"disk"', "'directory' or 's3'"),
        ),
        (lambda v: v.update(file_service={"storage": "s3"}), ("file_service", "s3", "set both")),
        (lambda v: v.update(file_service={"copies": 3}), ("file_service.copies", '"3"', "there are 2", "add a host")),
        (lambda v: v.update(file_service={"grace": 1}), ("file_service.grace", '"1"', "10")),
        (
            lambda v: v.update(file_service={"storage": "s3", "s3": {**BUCKET, "endpoint": "store"}}),
            ("file_service.s3.endpoint", '"store"', "such as https://"),
        ),
        (
            lambda v: v.update(network={"storage_subnet": "10.0.11.0/25"}),
            ("network.storage_subnet", "overlaps network.api_subnet", "another subnet"),
        ),
        (
            lambda v: v.update(file_service={"anonymous": ["read"]}),
            ("file_service.anonymous", '"read"', "set tokens, or remove it"),
        ),
        (
            lambda v: v.update(tokens={"ci": {**TOKEN, "prefix": "a/"}}),
            ("tokens.ci.prefix", '"a/"', "without slashes"),
        ),
        (
            lambda v: v.update(tokens={"ci": {**TOKEN, "expires": "2030-02-30"}}),
            ("tokens.ci.expires", '"2030-02-30"', "valid date"),
        ),
        (lambda v: v.update(tokens={"ci": {**TOKEN, "ttl": "soon"}}), ("tokens.ci.ttl", '"soon"', "7d")),
        (
            lambda v: v.update(tokens={"ci": {**TOKEN, "ttl": "99999d"}}),
            ("tokens.ci.ttl", '"99999d"', "some decades at most"),
        ),
        (lambda v: v.update(tokens={"ci": {**TOKEN, "quota_bytes": 0}}), ("tokens.ci.quota_bytes", '"0"', "1")),
        (
            lambda v: v.update(tokens={"ci": {**TOKEN, "quota_bytes": "5 GB"}}),
            ("tokens.ci.quota_bytes", '"5 GB"', "integer"),
        ),
        (
            lambda v: v.update(file_service={"allowed_hosts": ["Files.example.org:5001"]}),
            ("file_service.allowed_hosts", '"Files.example.org:5001"', "without a port"),
        ),
        (
            lambda v: v.update(file_service={"allowed_origins": ["https://app.example.org/"]}),
            ("file_service.allowed_origins", '"https://app.example.org/"', "without a path"),
        ),
        (lambda v: v["ssh"].update(jump="bastion.example"), ("ssh.jump", '"bastion.example"', "USER@ADDRESS")),
        (lambda v: v["ssh"].update(jump="op@-oProxyCommand=x"), ("ssh.jump", "USER@ADDRESS")),
        (lambda v: v["ssh"].update(port=0), ("ssh.port", '"0"', "1")),
        (lambda v: v.update(network={"mtu": 600}), ("network.mtu", '"600"', "1280")),
        (
            lambda v: v.update(network={"pool": "192.168.0.0/16"}),
            ("swarm-transfer:network.pool", '"192.168.0.0/16"', "overlaps private_cidr", "that is free"),
        ),
        (lambda v: v.update(network={"pool": "172.30.0.0/25"}), ("network.pool", '"172.30.0.0/25"', "larger pool")),
        (
            lambda v: v.update(network={"subnet": "10.0.0.0/22"}),
            ("network.subnet", '"10.0.0.0/22"', 'overlaps "10.0.0.0/24"', "set network.pool"),
        ),
        (
            lambda v: v.update(network={"subnet": "10.0.10.0/28"}),
            ("network.subnet", '"10.0.10.0/28" has 16 addresses', "2 hosts need", "/27 or larger"),
        ),
        (lambda v: v.update(patience=0), ("patience", '"0"', "1")),
        (lambda v: v.update(edge_port=70000), ("edge_port", '"70000"', "65535")),
    ],
)
def test_a_bad_setting_is_refused_with_field_value_and_remedy(
    values: dict[str, Any], change: Change, expected: tuple[str, ...]
) -> None:
    change(values)

    message = error_of(values)

    assert all(part in message for part in expected), message
    assert len(message.splitlines()) == 2, "a heading, and one line for the one problem"


def test_two_managers_are_accepted_if_a_third_one_is_gone(values: dict[str, Any]) -> None:
    third = {"name": "third", "address": "192.168.50.4", "role": "manager", "state": "gone"}
    values["hosts"] = [values["hosts"][0], {**values["hosts"][1], "role": "manager"}, third]

    assert len(settings.parse(values).managers) == 2


def test_two_managers_are_accepted_while_one_replaces_the_other(values: dict[str, Any]) -> None:
    values["hosts"][1]["role"] = "manager"

    assert len(settings.parse({**values, "replacing_manager": True}).managers) == 2


def test_a_subnet_must_have_an_address_for_every_task(values: dict[str, Any]) -> None:
    def with_hosts(number: int) -> dict[str, Any]:
        hosts = [
            {"name": f"host-{n}", "address": f"192.168.50.{n}", "role": "manager" if n == 2 else "worker"}
            for n in range(2, number + 2)
        ]
        return {**values, "hosts": hosts}

    assert len(settings.parse(with_hosts(50)).hosts) == 50
    assert 'network.metrics_subnet: "10.0.14.0/24" has 256 addresses, and the tasks on 100 hosts need' in error_of(
        with_hosts(100)
    )


def test_every_problem_is_listed(values: dict[str, Any]) -> None:
    values.update(replcas=3, edge_port=0)

    assert len(error_of(values).splitlines()) == 3


def test_a_host_without_a_recorded_key_is_named_with_the_remedy(values: dict[str, Any]) -> None:
    values["hosts"].append({"name": "third", "address": "192.168.50.99", "role": "worker"})

    with pytest.raises(settings.SettingsError, match=r"no key of third \(192.168.50.99\): run `vagrant up third`"):
        settings.ssh_targets(settings.parse(values))


def test_a_key_with_a_passphrase_is_named_with_the_remedy(
    values: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    key = tmp_path / "with-passphrase"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", str(key)], check=True)
    values["ssh"]["private_key_file"] = str(key)

    with pytest.raises(settings.SettingsError, match=r'private_key_file: ".*" has a passphrase, .*: run `ssh-add'):
        settings.ssh_targets(settings.parse(values))


def test_hosts_behind_a_jump_host_are_reached_through_it(values: dict[str, Any], tmp_path: Path) -> None:
    known_hosts = tmp_path / "known_hosts"
    shutil.copy(values["ssh"]["known_hosts_file"], known_hosts)
    key = known_hosts.read_text().splitlines()[0].partition(" ")[2]
    values["ssh"] |= {"port": 2222, "jump": "op@bastion.example:2200", "known_hosts_file": str(known_hosts)}
    parsed = settings.parse(values)

    with pytest.raises(settings.SettingsError) as raised:
        settings.ssh_targets(parsed)
    known_hosts.write_text(f"[192.168.50.2]:2222 {key}\n[192.168.50.3]:2222 {key}\n[bastion.example]:2200 {key}\n")
    targets = settings.ssh_targets(parsed)

    assert "no key of master ([192.168.50.2]:2222): " in str(raised.value)
    assert "no key of ssh.jump ([bastion.example]:2200): add the key" in str(raised.value)
    assert {(target.port, target.jump) for target in targets.values()} == {
        (2222, Jump(address="bastion.example", user="op", port=2200))
    }


@pytest.mark.parametrize("field", ["private_key_file", "known_hosts_file"])
def test_a_missing_key_file_is_named_with_the_remedy(values: dict[str, Any], field: str) -> None:
    values["ssh"][field] = "/nowhere"

    with pytest.raises(
        settings.SettingsError, match=f'ssh.{field}: there is no file "/nowhere" here: `vagrant up` writes it'
    ):
        settings.ssh_targets(settings.parse(values))
