"""Debian packages are installed only if they are missing, and their services are not started."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from lab import packages
from lab.packages import LabError


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], bool]]:
    """The calls of apt-get: the command, and whether services were kept from starting during it."""
    calls: list[tuple[list[str], bool]] = []
    policy = tmp_path / "policy-rc.d"
    monkeypatch.setattr(packages, "_POLICY", policy)
    monkeypatch.setattr(packages.shutil, "which", lambda program, **_: None if program == "vagrant" else "/bin/it")
    monkeypatch.setattr(packages.os, "geteuid", lambda: 0)

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        calls.append((command, policy.exists() and policy.read_text().endswith("exit 101\n")))
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(packages.subprocess, "run", run)
    return calls


def test_only_missing_packages_are_installed_and_no_services_start(apt: list[tuple[list[str], bool]]) -> None:
    packages.install()

    assert [command[1] for command, _ in apt] == ["update", "install"]
    assert apt[-1][0][-1] == "vagrant"
    assert all(kept_down for _, kept_down in apt)
    assert not packages._POLICY.exists()


def test_only_wanted_packages_are_installed(apt: list[tuple[list[str], bool]]) -> None:
    packages.install({"curl", "procps"})
    assert apt == []

    packages.install(packages.LAB)
    assert apt[-1][0][-1] == "vagrant"


def test_a_package_without_a_program_on_path_is_known_by_its_file(
    apt: list[tuple[list[str], bool]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = tmp_path / "17" / "bin" / "postgres"
    monkeypatch.setitem(packages._FILES_OF_PACKAGE, "postgresql", f"{tmp_path}/*/bin/postgres")

    packages.install({"postgresql"})
    assert apt[-1][0][-1] == "postgresql"

    apt.clear()
    server.parent.mkdir(parents=True)
    server.touch()
    packages.install({"postgresql"})
    assert apt == []


def test_every_package_has_a_program_or_file_to_look_for() -> None:
    known = {*packages._PROGRAM_OF_PACKAGE, *packages._FILES_OF_PACKAGE}

    assert known == packages.LAB | packages.VM | packages.RUNC | packages.CHECKS | packages.ROOT


def test_an_existing_policy_is_left_alone(apt: list[tuple[list[str], bool]]) -> None:
    packages._POLICY.write_text("mine")

    packages.install()

    assert len(apt) == 2
    assert packages._POLICY.read_text() == "mine"


def test_without_missing_packages_apt_is_not_run(
    apt: list[tuple[list[str], bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages.shutil, "which", lambda program, **_: f"/bin/{program}")

    assert packages.install() is True
    assert apt == []


def test_without_root_the_packages_are_named(
    apt: list[tuple[list[str], bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages.os, "geteuid", lambda: 1000)

    text = "missing: vagrant: run `apt-get install vagrant`, or run this as root on Debian"
    with pytest.raises(LabError, match=f"^{text}$"):
        packages.install()
    assert apt == []


def test_a_server_is_found_although_it_is_not_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = tmp_path / "haproxy"
    server.touch(mode=0o755)
    monkeypatch.setattr(packages, "_SERVERS", str(tmp_path))
    monkeypatch.setenv("PATH", "/nowhere")

    assert packages.program("haproxy") == str(server)


def test_the_error_for_a_missing_program_names_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "_SERVERS", "/nowhere")
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(LabError, match=r"^promtool is not installed: run `apt-get install prometheus`$"):
        packages.program("promtool")
