"""The lab's configuration file: the committed settings, the user's own, this machine's values and its secrets."""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from lab.paths import Lab

_PROJECT = "swarm-transfer"


def compose(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """One configuration file out of several: a later layer's values win, and mappings are merged at every depth."""
    return functools.reduce(_merge, layers, {"config": {}})


def write(lab: Lab, images: Mapping[str, str], own: Mapping[str, Any]) -> None:
    """Write the lab's configuration file: the committed settings, the user's `own`, and this machine's values.

    Secrets that are in the file already stay as they are.
    """
    known = _load(lab.config_file)
    # Pulumi keeps these paths in its state: they must be the same in every checkout.
    ssh_dir = lab.ssh_dir.relative_to(lab.checkout)
    machine = {
        "images": dict(images),
        "ssh": {
            "user": "vagrant",
            "private_key_file": str(ssh_dir / "id_ed25519"),
            "known_hosts_file": str(ssh_dir / "known_hosts"),
        },
    }
    composed = compose(
        _load(lab.checkout / "Pulumi.lab.yaml"),
        # No package registry has Grafana.
        _layer({} if lab.is_online else {"monitoring": {"grafana": False}}),
        _layer(own),
        _layer(machine),
        {"config": _encrypted(known.get("config", {})) or {}},
        {key: value for key, value in known.items() if key == "encryptionsalt"},
    )
    lab.config_file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = lab.config_file.with_suffix(".new")
    unfinished.write_text(yaml.safe_dump(composed, sort_keys=False, allow_unicode=True))
    unfinished.rename(lab.config_file)


def read(lab: Lab) -> dict[str, Any]:
    """All settings as they were composed last, by key without the project's prefix; empty before the first time."""
    config = _load(lab.config_file).get("config", {})
    return {name.removeprefix(f"{_PROJECT}:"): value for name, value in config.items()}


def key(name: str) -> str:
    """The setting's name in the file, with the project's prefix."""
    return f"{_PROJECT}:{name}"


def _layer(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as a layer of the configuration file."""
    return {"config": {key(name): value for name, value in settings.items()}}


def _merge(earlier: Mapping[str, Any], later: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(earlier)
    for name, value in later.items():
        known = earlier.get(name)
        if isinstance(known, dict) and isinstance(value, dict) and not _is_encrypted(value):
            merged[name] = _merge(known, value)
        else:
            merged[name] = value
    return merged


def _encrypted(value: Any) -> Any:  # noqa: ANN401 - what a configuration file has
    """What is encrypted of a setting, or of a mapping of settings; None if nothing is."""
    if not isinstance(value, dict):
        return None
    if _is_encrypted(value):
        return value
    parts = {name: _encrypted(item) for name, item in value.items()}
    return {name: part for name, part in parts.items() if part} or None


def _is_encrypted(value: Mapping[str, Any]) -> bool:
    return list(value) == ["secure"]


def _load(path: Path) -> dict[str, Any]:
    return (yaml.safe_load(path.read_text()) or {}) if path.exists() else {}
