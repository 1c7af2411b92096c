"""Debian packages: installed only if missing, and no service starts by the way."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from lab import packages
from lab.packages import LabError


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], bool]]:
    """Calls of apt-get: the command, and whether services were kept from starting meanwhile."""
    calls: list[tuple[list[str], bool]] = []
    policy = tmp_path / "policy-rc.d"
    monkeypatch.setattr(packages, "_POLICY", policy)
    monkeypatch.setattr(packages.shutil, "which", lambda program: None if program == "vagrant" else f"/bin/{program}")
    monkeypatch.setattr(packages.os, "geteuid", lambda: 0)

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        calls.append((command, policy.exists() and policy.read_text().endswith("exit 101\n")))
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(packages.subprocess, "run", run)
    return calls


def test_only_what_is_missing_is_installed_with_services_kept_down(apt: list[tuple[list[str], bool]]) -> None:
    packages.install()

    assert [command[1] for command, _ in apt] == ["update", "install"]
    assert apt[-1][0][-1] == "vagrant"
    assert all(kept_down for _, kept_down in apt)
    assert not packages._POLICY.exists()


def test_a_browser_is_for_tests_alone(apt: list[tuple[list[str], bool]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages.shutil, "which", lambda program: None if program == "chromium" else f"/bin/{program}")

    packages.install()
    assert apt == []
    packages.install(for_tests=True)

    assert apt[-1][0][-1] == "chromium"


def test_somebodys_own_policy_is_left_alone(apt: list[tuple[list[str], bool]]) -> None:
    packages._POLICY.write_text("mine")

    packages.install()

    assert len(apt) == 2
    assert packages._POLICY.read_text() == "mine"


def test_nothing_missing_asks_nobody(apt: list[tuple[list[str], bool]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages.shutil, "which", lambda program: f"/bin/{program}")

    assert packages.install() is True
    assert apt == []


def test_without_root_the_packages_are_named(
    apt: list[tuple[list[str], bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages.os, "geteuid", lambda: 1000)

    with pytest.raises(LabError, match="missing: vagrant: install them, or run as root"):
        packages.install()
    assert apt == []
