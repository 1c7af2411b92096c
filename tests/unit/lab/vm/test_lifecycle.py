"""A lab of virtual machines differs from an offline lab in its hosts and a few settings only."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab import configuration, demo, engine, lifecycle, mode
from lab.offline import OfflineLifecycle
from lab.packages import LabError
from lab.paths import Lab
from lab.vm import image, machine, network, provision, trial
from lab.vm.lifecycle import VmLifecycle
from lab.vm.machine import Machine
from settings import Settings

ROOT = Path(__file__).parent.parent.parent.parent.parent


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    lab = Lab(name="vm", checkout=tmp_path, virtual=True)
    lab.ssh_dir.mkdir(parents=True)
    (tmp_path / "Pulumi.lab.yaml").write_text((ROOT / "Pulumi.lab.yaml").read_text())
    configuration.write(lab, {}, {})
    return lab


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was done to the machines, in order. Nothing is really done."""
    taken: list[str] = []

    def record(module: object, name: str, text: Callable[..., str]) -> None:
        monkeypatch.setattr(module, name, lambda *arguments, **_: taken.append(text(*arguments)))

    record(image, "build", lambda: "image")
    record(network, "create", lambda _: "network")
    record(machine, "require_memory", lambda machines: f"memory of {' '.join(each.name for each in machines)}")
    record(Machine, "start", lambda each, *_: f"start {each.name}")
    record(provision, "record_host_keys", lambda machines, _: f"keys of {' '.join(each.name for each in machines)}")
    record(provision, "provision", lambda each: f"provision {each.name}")
    record(machine, "remove_all", lambda _: "machines removed")
    record(engine, "remove", lambda _: "engine removed")
    monkeypatch.setattr(provision, "key_pair", lambda _: "ssh-ed25519 AAAA")
    return taken


def test_a_virtual_lab_is_an_offline_one_with_other_hosts(lab: Lab) -> None:
    assert isinstance(lifecycle.of(lab), VmLifecycle)
    assert isinstance(lifecycle.of(lab), OfflineLifecycle)


def test_its_settings_encrypt_the_networks_and_are_patient(lab: Lab) -> None:
    read = configuration.read(lab)
    passwords = dict.fromkeys(("operator_password", "influxdb_writer_password", "influxdb_reader_password"), "x" * 12)
    settings = Settings.model_validate({**read, **passwords})

    assert settings.network.encrypted
    assert settings.patience == 10
    assert not settings.monitoring.grafana


def test_machines_start_on_their_network_and_are_provisioned_when_their_keys_are_known(
    lab: Lab, steps: list[str]
) -> None:
    lifecycle.of(lab).start_hosts()

    checked, started = ["image", "network", "memory of master slave"], ["start master", "start slave"]
    assert steps[:6] == [*checked, *started, "keys of master slave"]
    assert sorted(steps[6:]) == ["provision master", "provision slave"]


def test_nothing_of_it_is_left(lab: Lab, steps: list[str]) -> None:
    lifecycle.of(lab).remove()

    assert steps == ["machines removed", "engine removed"]


def test_new_machines_have_new_host_keys(lab: Lab, steps: list[str]) -> None:
    (lab.ssh_dir / "known_hosts").write_text("192.168.50.2 ssh-ed25519 AAAA\n")

    lifecycle.of(lab).discard_hosts()

    assert steps == ["machines removed"]
    assert not (lab.ssh_dir / "known_hosts").exists()


@pytest.mark.parametrize("outcome", [True, False, KeyboardInterrupt()], ids=str)
def test_the_trial_leaves_nothing_running_however_it_ends(
    lab: Lab, steps: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, outcome: bool | BaseException
) -> None:
    monkeypatch.setattr(engine, "MACHINE_DIR", tmp_path / "machine")

    def test(*_: Any) -> bool:
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    monkeypatch.setattr(demo, "test", test)

    if isinstance(outcome, BaseException):
        with pytest.raises(KeyboardInterrupt):
            trial.run(lab)
    else:
        assert trial.run(lab) is outcome
    assert steps == ["machines removed", "engine removed"]


def test_the_choice_between_online_and_offline_does_not_concern_it(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def choose(_: Lab) -> None:
        raise LabError("asked for a choice")

    def served(_: object) -> dict[str, str]:
        raise LabError("got as far as the images")

    monkeypatch.setattr(mode, "choose", choose)
    monkeypatch.setattr(demo.packages, "install", lambda: True)
    monkeypatch.setattr(demo.pulumi_cli, "install", lambda: Path("tools"))
    monkeypatch.setattr(OfflineLifecycle, "serve_images", served)

    with pytest.raises(LabError, match="got as far as the images"):
        demo.configure(lab)
