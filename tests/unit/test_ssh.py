"""Host keys: only recorded ones, whatever form the record has."""

import subprocess
from pathlib import Path

import pytest

from components.ssh import SshError, SshTarget, ask, known_host_key

ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFkZVzupcfkEposj1yPcY3nRNTmnUXA+f87U0MSgteFx"
RSA = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQDZ"


@pytest.fixture
def known_hosts(tmp_path: Path) -> Path:
    path = tmp_path / "known_hosts"
    path.write_text(f"# a comment\n192.168.50.2 {RSA}\n192.168.50.2 {ED25519}\n192.168.50.20 {RSA}\n")
    return path


def test_the_key_of_just_this_address_is_found_the_best_first(known_hosts: Path) -> None:
    assert known_host_key(known_hosts, "192.168.50.2") == ED25519


def test_an_unknown_address_has_no_key(known_hosts: Path) -> None:
    assert known_host_key(known_hosts, "192.168.50.3") == ""


def test_hashed_records_are_read_too(known_hosts: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(known_hosts)], check=True, capture_output=True)
    assert "192.168" not in known_hosts.read_text()

    assert known_host_key(known_hosts, "192.168.50.2") == ED25519


def test_a_failing_script_is_an_error_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: SshTarget
) -> None:
    program = tmp_path / "ssh"
    program.write_text("#!/bin/sh\ncat >/dev/null\necho 'it hurts' >&2\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    with pytest.raises(SshError, match="it hurts"):
        ask(target, "true")
