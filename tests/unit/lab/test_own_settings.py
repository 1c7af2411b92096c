"""The user's own settings for the demo: what is accepted, and how mistakes are reported."""

from typing import Any

import pytest

from lab import own_settings
from lab.packages import LabError
from lab.paths import Lab


@pytest.fixture
def lab(tmp_path):
    return Lab(name="demo", checkout=tmp_path)


def _error_of(lab, content):
    (lab.checkout / "demo.yaml").write_bytes(content.encode("latin-1"))
    with pytest.raises(LabError) as raised:
        own_settings.read(lab)
    message = str(raised.value)
    assert message.startswith("demo.yaml")
    assert "\n" not in message
    return message


def test_without_the_file_there_are_no_own_settings(lab):
    assert own_settings.read(lab) == {}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", {}),
        ("# file_service: {replicas: 4}\n", {}),
        ("file_service: {replicas: 4}\n", {"file_service": {"replicas": 4}}),
        ("alerting: {for: {NodeMissing: 1m}}\n", {"alerting": {"for": {"NodeMissing": "1m"}}}),
        ("monitoring:\n  publish: [influxdb, prometheus]\n", {"monitoring": {"publish": ["influxdb", "prometheus"]}}),
    ],
)
def test_settings_are_read_as_they_are_written(lab, content: str, expected: dict[str, Any]):
    (lab.checkout / "demo.yaml").write_text(content)

    assert own_settings.read(lab) == expected


@pytest.mark.parametrize("name", ["test", "bench"])
def test_only_the_demo_has_own_settings(tmp_path, name: str):
    (tmp_path / "demo.yaml").write_text("file_service: {replicas: 4}\n")

    assert own_settings.read(Lab(name=name, checkout=tmp_path)) == {}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a: 1\nfile_service: {replicas: 4\n", ("not YAML in line 3", "correct it, or delete the file")),
        ("edge_port: \xff\n", ("cannot be read", "correct it, or delete the file")),
        ("a: \x01\n", ("cannot be read", "correct it, or delete the file")),
        ("- replicas\n", ("not a mapping but ['replicas']", "file_service: {replicas: 4}")),
        ("replicas 4\n", ("not a mapping but 'replicas 4'", "file_service: {replicas: 4}")),
        (
            "replicas: 4\n",
            (
                "replicas is not a setting",
                "remove it, or use one of: alerting, autolock, backup, backup_password, backup_storage_key, edge_",
            ),
        ),
        ("swarm-transfer:edge_port: 1\n", ("swarm-transfer:edge_port is not a setting", "use one of")),
        (
            "file_service: {replcas: 4}\n",
            (
                "file_service.replcas is not a setting",
                "one of: allowed_hosts, allowed_origins, anonymous, copies, grace,",
            ),
        ),
        ("file_service: {s3: {buckt: a}}\n", ("file_service.s3.buckt is not", "one of: access_key, bucket, endpoint")),
        ("alerting: {fro: {}}\n", ("alerting.fro is not a setting", "email_from, email_to, for, heartbeat_url")),
        (
            "tokens: {ci: {scops: [read]}}\n",
            ("tokens.ci.scops is not a setting", "one of: expires, prefix, quota_bytes, scopes, token, ttl"),
        ),
        ("5: 4\n", ("5 is", "correct it")),
        ("file_service: {replicas: four}\n", ("file_service.replicas is 'four'", "a valid integer", "correct it")),
        ("file_service:\n", ("file_service is None", "correct it")),
        ("hosts: [{name: third, role: worker}]\n", ("hosts.0.address is missing", "add it")),
        ("images: {haproxy: other}\n", ("images is set by the lab itself", "remove it")),
        ("ssh: {user: me}\n", ("ssh is set by the lab itself", "remove it")),
    ],
)
def test_a_mistake_is_one_line_with_the_file_the_cause_and_the_remedy(lab, content: str, expected: tuple[str, ...]):
    message = _error_of(lab, content)

    assert [part for part in expected if part not in message] == [], message


def test_settings_that_the_lab_sets_are_not_suggested(lab):
    assert "ssh" not in _error_of(lab, "replicas: 4\n")


@pytest.mark.parametrize(
    ("content", "command"),
    [
        ("operator_password: hunter2\n", "--secret swarm-transfer:operator_password"),
        ("storage_key: {secure: hunter2}\n", "--secret swarm-transfer:storage_key"),
        ("edge_certificate: hunter2\n", "--secret swarm-transfer:edge_certificate"),
        ("alerting: {webhook_url: hunter2}\n", "--secret --path swarm-transfer:alerting.webhook_url"),
        ("registry: {address: a, password: hunter2}\n", "--secret --path swarm-transfer:registry.password"),
        ("tokens: {ci: {token: hunter2}}\n", "--secret swarm-transfer:tokens`, with all of tokens as JSON"),
    ],
)
def test_a_secret_is_refused_and_not_shown_and_the_remedy_encrypts_it(lab, content: str, command: str):
    message = _error_of(lab, content)

    assert f"remove it, and run `lab/exec pulumi config set {command}" in message
    assert "hunter2" not in message


def test_a_rule_about_several_settings_is_left_to_the_program(lab):
    # The address may be in the stack's configuration, encrypted.
    (lab.checkout / "demo.yaml").write_text("alerting: {receiver: webhook}\n")

    assert own_settings.read(lab) == {"alerting": {"receiver": "webhook"}}
