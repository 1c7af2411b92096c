"""The operations reach hosts by the same settings as the program."""

import json
from typing import Any

import pytest

from operations import stack
from operations.stack import OperationError, configured_hosts

HOSTS = [{"name": "master", "address": "192.168.50.2", "role": "manager"}]


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What `pulumi config --json` prints."""
    config: dict[str, Any] = {
        "swarm-transfer:hosts": {"objectValue": HOSTS},
        "swarm-transfer:ssh": {"objectValue": {"private_key_file": "k", "known_hosts_file": "h"}},
    }
    monkeypatch.setattr(stack, "pulumi", lambda *_: json.dumps(config))
    return config


def test_operations_wait_as_long_for_slow_hosts_as_the_program(config: dict[str, Any]) -> None:
    assert configured_hosts().targets["master"].patience == 1

    config["swarm-transfer:patience"] = {"value": "7", "secret": False}

    assert configured_hosts().targets["master"].patience == 7


def test_operations_know_whether_managers_are_locked(config: dict[str, Any]) -> None:
    assert configured_hosts().autolock is False

    config["swarm-transfer:autolock"] = {"value": "true", "secret": False}

    assert configured_hosts().autolock is True


@pytest.mark.parametrize(
    ("name", "value"),
    [("hosts", {"objectValue": [{}]}), ("ssh", {}), ("patience", {"value": "much"})],
    ids=["hosts", "ssh", "patience"],
)
def test_settings_that_are_not_valid_are_named(config: dict[str, Any], name: str, value: dict[str, Any]) -> None:
    config[f"swarm-transfer:{name}"] = value

    with pytest.raises(OperationError, match="`hosts`, `ssh` and `patience` are not valid: `pulumi preview` says why"):
        configured_hosts()
