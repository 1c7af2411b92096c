"""Every unfit host is found, named and explained before the first one is touched."""

import json
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from components import preflight
from components.preflight import PreflightError, Probe, conflicts, explain
from components.ssh import SshTarget

ADDRESSES = {"m1": "10.0.0.1", "m2": "10.0.0.2", "w1": "10.0.0.3"}
OURS = {"LocalNodeState": "active", "ControlAvailable": True, "Cluster": {"ID": "ours"}}
THEIRS = {"LocalNodeState": "active", "ControlAvailable": True, "Cluster": {"ID": "theirs"}}
FREE = Probe(swarm={"LocalNodeState": "inactive"}, stack="")


def manager(swarm: dict[str, Any] = OURS, stack: str = "lab") -> Probe:
    return Probe(swarm=swarm, stack=stack)


def worker(*addresses: str) -> Probe:
    remote = [{"Addr": f"{address}:2377"} for address in addresses]
    return Probe(swarm={"LocalNodeState": "active", "ControlAvailable": False, "RemoteManagers": remote}, stack="")


def problems(**probes: Probe) -> list[str]:
    return conflicts(probes, ADDRESSES, managers=["m1", "m2"], stack="lab")


def test_fresh_hosts_are_fit() -> None:
    assert problems(m1=FREE, m2=FREE, w1=FREE) == []


def test_the_stacks_own_swarm_is_no_conflict() -> None:
    assert problems(m1=manager(), m2=manager(), w1=worker("10.0.0.1", "10.0.0.2")) == []


def test_a_fresh_host_may_join_it() -> None:
    assert problems(m1=manager(), m2=FREE, w1=FREE) == []


@pytest.mark.parametrize(
    ("name", "probes"),
    [
        ("m1", {"m1": manager(stack=""), "m2": FREE, "w1": FREE}),
        ("m1", {"m1": manager(stack="another"), "m2": FREE, "w1": FREE}),
        ("m2", {"m1": manager(), "m2": manager(THEIRS), "w1": FREE}),
        ("w1", {"m1": manager(), "m2": FREE, "w1": worker("10.9.9.9")}),
        ("w1", {"m1": FREE, "m2": FREE, "w1": worker("10.0.0.1")}),
    ],
    ids=["unmarked", "another stack's", "another cluster", "other managers", "of a swarm that is gone"],
)
def test_a_host_in_another_swarm_is_named_with_the_remedy(name: str, probes: dict[str, Probe]) -> None:
    (problem,) = problems(**probes)

    assert problem.startswith(f"{name}: is in another swarm: run `docker swarm leave --force`")


@pytest.mark.parametrize("state", ["pending", "error", "locked"])
def test_a_broken_membership_is_named(state: str) -> None:
    assert problems(m1=FREE, m2=FREE, w1=Probe(swarm={"LocalNodeState": state}, stack="")) == [
        f"w1: its swarm membership is «{state}»: run `docker swarm leave --force` there"
    ]


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (
            "@@@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @@@\nHost key verification failed.",
            "host key has changed",
        ),
        ("No ED25519 host key is known\nHost key verification failed.", "host key is not known"),
        ("vagrant@h: Permission denied (publickey,password).", "refuses the user or the key"),
        ("ssh: connect to host h port 22: Connection refused", "cannot be reached (ssh: connect to host h port 22"),
        ("ssh: connect to host h port 22: No route to host", "cannot be reached"),
        ("no answer within 60 s", "cannot be reached (no answer within 60 s)"),
        ("docker is not installed", "lacks a program"),
        ("Cannot connect to the Docker daemon at unix:///var/run/docker.sock.", "does not run"),
        ("permission denied while trying to connect to the Docker daemon socket", "may not use Docker"),
    ],
)
def test_what_ssh_says_is_explained(said: str, meant: str) -> None:
    explained = explain("slave", said)

    assert explained.startswith("slave: ")
    assert meant in explained
    assert "\n" not in explained


@pytest.fixture
def fake_ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An `ssh` that answers by address: what is in the file of that name, or a refusal."""
    program = tmp_path / "bin" / "ssh"
    program.parent.mkdir()
    program.write_text(
        "#!/bin/sh\n"
        "for word; do case $word in vagrant@*) address=${word#vagrant@} ;; esac; done\n"
        f'cat "{tmp_path}/$address" 2>/dev/null || {{ echo "Connection refused" >&2; exit 255; }}\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return tmp_path


def targets(*names: str) -> list[SshTarget]:
    return [
        SshTarget(name=name, address=name, user="vagrant", private_key_file=Path("k"), known_hosts_file=Path("h"))
        for name in names
    ]


def test_all_unfit_hosts_are_named_at_once(fake_ssh: Path) -> None:
    (fake_ssh / "m1").write_text('{"LocalNodeState": "inactive"}\n\n')

    with pytest.raises(PreflightError) as raised:
        preflight.check(targets("m1", "w1", "w2"), managers=["m1"], stack="lab")

    assert str(raised.value).startswith("some hosts cannot be used; nothing was changed:")
    assert "w1: cannot be reached" in str(raised.value)
    assert "w2: cannot be reached" in str(raised.value)
    assert "m1:" not in str(raised.value)


def test_fit_hosts_pass(fake_ssh: Path) -> None:
    (fake_ssh / "m1").write_text(f"{json.dumps(OURS)}\nlab\n")
    (fake_ssh / "w1").write_text('{"LocalNodeState": "inactive"}\n')

    preflight.check(targets("m1", "w1"), managers=["m1"], stack="lab")


@pytest.mark.parametrize(("driver", "fit"), [("overlay2", True), ("io.containerd.snapshotter.v1", False)])
def test_an_engine_that_keeps_images_where_cadvisor_sees_nothing_is_not_fit(
    tmp_path: Path, driver: str, fit: bool
) -> None:
    docker = tmp_path / "docker"
    docker.write_text(
        "#!/bin/sh\n"
        f"case $* in *DriverStatus*) echo '[[\"driver-type\",\"{driver}\"]]' ;; *.Swarm*) echo '{{}}' ;; esac\n"
    )
    (tmp_path / "curl").write_text("#!/bin/sh\n")
    for program in (docker, tmp_path / "curl"):
        program.chmod(0o755)

    done = subprocess.run(
        ["sh", "-s"],
        input=preflight._PROBE,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode == 0) == fit
    if not fit:
        assert "w1: its Docker Engine keeps images" in preflight.explain("w1", done.stderr)
        assert "containerd-snapshotter" in preflight.explain("w1", done.stderr)
