"""The lab's configuration file: the layers that it is made of, what is kept in it, and files that it never reads."""

import pytest
import yaml

from lab import configuration
from lab.paths import Lab

COMMITTED = {
    "config": {
        "swarm-transfer:hosts": [{"name": "master"}],
        "swarm-transfer:file_service": {"replicas": 3},
        "swarm-transfer:monitoring": {"retention": "30d"},
    }
}
IMAGES = {"haproxy": "192.168.50.1:5000/lab/haproxy:1@sha256:0"}
PASSWORD = "swarm-transfer:operator_password"

# A real deployment leaves such a file in the checkout, with other hosts and secrets.
REAL = {
    "encryptionsalt": "v1:the-user-s",
    "config": {
        "swarm-transfer:hosts": [{"name": "production", "address": "203.0.113.1", "role": "manager"}],
        "swarm-transfer:private_cidr": "203.0.113.0/24",
        "swarm-transfer:ssh": {"user": "admin", "private_key_file": "/home/admin/key"},
        "swarm-transfer:file_service": {"replicas": 9, "s3": {"bucket": "production"}},
        "swarm-transfer:alerting": {"webhook_url": {"secure": "v1:foreign"}},
        "swarm-transfer:tokens": {"secure": "v1:foreign"},
        PASSWORD: {"secure": "v1:foreign"},
    },
}


@pytest.fixture
def lab(tmp_path):
    (tmp_path / "Pulumi.lab.yaml").write_text(yaml.safe_dump(COMMITTED))
    return Lab(name="demo", checkout=tmp_path)


def _document(lab):
    return yaml.safe_load(lab.config_file.read_text())


def _changed(lab, **config):
    """Change the composed file, as `pulumi config set` does."""
    document = _document(lab)
    document["config"] |= {f"swarm-transfer:{name}": value for name, value in config.items()}
    document["encryptionsalt"] = "v1:salt"
    lab.config_file.write_text(yaml.safe_dump(document))


def test_later_values_win_and_mappings_are_merged_at_every_depth():
    first = {"config": {"a": {"x": 1, "y": {"deep": 2, "kept": 3}}, "b": [1, 2]}}

    composed = configuration.compose(first, {"config": {"a": {"x": 3, "y": {"deep": 4}}, "b": [4]}})

    assert composed == {"config": {"a": {"x": 3, "y": {"deep": 4, "kept": 3}}, "b": [4]}}


def test_keys_beside_the_settings_are_kept():
    assert configuration.compose({"encryptionsalt": "v1"}, {}, {"config": {}}) == {"encryptionsalt": "v1", "config": {}}


def test_merging_does_not_change_the_layers():
    first = {"config": {"a": {"x": 1}}}

    configuration.compose(first, {"config": {"a": {"x": 2}}})

    assert first == {"config": {"a": {"x": 1}}}


def test_the_file_has_the_committed_settings_and_the_values_of_this_machine(lab):
    configuration.write(lab, IMAGES, {})

    assert _document(lab)["config"] == {
        **COMMITTED["config"],
        "swarm-transfer:monitoring": {"retention": "30d", "grafana": False},
        "swarm-transfer:images": IMAGES,
        "swarm-transfer:ssh": {
            "user": "vagrant",
            "private_key_file": ".local/lab/demo/ssh/id_ed25519",
            "known_hosts_file": ".local/lab/demo/ssh/known_hosts",
        },
    }


def test_nothing_in_the_file_depends_on_where_the_checkout_is(lab, tmp_path):
    configuration.write(lab, IMAGES, {})

    assert str(tmp_path) not in lab.config_file.read_text()


def test_an_online_lab_has_grafana(lab):
    lab.local_dir.mkdir(parents=True)
    lab.mode_file.write_text("online\n")

    configuration.write(lab, {}, {})

    assert _document(lab)["config"]["swarm-transfer:monitoring"] == {"retention": "30d"}


def test_files_of_a_real_deployment_in_the_checkout_are_ignored(lab):
    configuration.write(lab, IMAGES, {})
    without = lab.config_file.read_text()
    lab.config_file.unlink()
    (lab.checkout / "Pulumi.dev.yaml").write_text(yaml.safe_dump(REAL))

    configuration.write(lab, IMAGES, {})

    assert lab.config_file.read_text() == without


def test_own_settings_override_the_committed_ones(lab):
    own = {"file_service": {"replicas": 4, "s3": {"bucket": "x"}}, "edge_port": 5002}

    configuration.write(lab, IMAGES, own)

    config = _document(lab)["config"]
    assert config["swarm-transfer:file_service"] == {"replicas": 4, "s3": {"bucket": "x"}}
    assert config["swarm-transfer:edge_port"] == 5002
    assert config["swarm-transfer:hosts"] == [{"name": "master"}]


def test_removing_an_own_setting_restores_the_committed_one(lab):
    configuration.write(lab, IMAGES, {"file_service": {"replicas": 4}, "edge_port": 5002})

    configuration.write(lab, IMAGES, {})

    assert _document(lab)["config"]["swarm-transfer:file_service"] == {"replicas": 3}
    assert "swarm-transfer:edge_port" not in _document(lab)["config"]


def test_a_value_changed_in_the_file_is_overwritten(lab):
    configuration.write(lab, IMAGES, {})
    _changed(lab, file_service={"replicas": 5})

    configuration.write(lab, IMAGES, {})

    assert _document(lab)["config"]["swarm-transfer:file_service"] == {"replicas": 3}


def test_secrets_and_their_salt_are_kept_when_the_file_is_written_again(lab):
    configuration.write(lab, IMAGES, {})
    _changed(lab, operator_password={"secure": "v1:secret"})

    configuration.write(lab, IMAGES, {})

    assert _document(lab)["encryptionsalt"] == "v1:salt"
    assert _document(lab)["config"][PASSWORD] == {"secure": "v1:secret"}


def test_a_secret_within_a_setting_is_kept_beside_own_values(lab):
    configuration.write(lab, IMAGES, {})
    _changed(lab, alerting={"receiver": "webhook", "webhook_url": {"secure": "v1:secret"}})

    configuration.write(lab, IMAGES, {"alerting": {"email_to": "a@example.org"}})

    assert _document(lab)["config"]["swarm-transfer:alerting"] == {
        "email_to": "a@example.org",
        "webhook_url": {"secure": "v1:secret"},
    }


def test_a_setting_that_is_encrypted_as_a_whole_is_not_merged(lab):
    configuration.write(lab, IMAGES, {})
    _changed(lab, tokens={"secure": "v1:secret"})

    configuration.write(lab, IMAGES, {"tokens": {"ci": {"scopes": ["read"]}}})

    assert _document(lab)["config"]["swarm-transfer:tokens"] == {"secure": "v1:secret"}


def test_nothing_is_written_beside_the_committed_files(lab):
    before = sorted(path.name for path in lab.checkout.iterdir())

    configuration.write(lab, IMAGES, {})

    assert sorted(path.name for path in lab.checkout.iterdir()) == [".local", *before]


def test_settings_are_read_without_the_prefix_of_the_project(lab):
    assert configuration.read(lab) == {}

    configuration.write(lab, IMAGES, {})

    assert configuration.read(lab)["file_service"] == {"replicas": 3}
