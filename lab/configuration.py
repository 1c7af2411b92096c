"""The lab's configuration file, made from committed settings, the user's own, machine values and secrets."""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from lab import lifecycle
from lab.paths import Lab

_PROJECT = "swarm-transfer"


def compose(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Merge several configuration files into one. Later values win, and mappings are merged at every depth."""
    return functools.reduce(_merge, layers, {"config": {}})


def write(lab: Lab, images: Mapping[str, str], own: Mapping[str, Any]) -> None:
    """Write the lab's configuration file from the committed settings, the user's `own`, and this machine's values.

    Secrets that are already in the file are kept.
    """
    previous = _load(lab.config_file)
    # Pulumi keeps these paths in its state, so they must be the same in every checkout.
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
        _layer(lifecycle.of(lab).settings),
        _layer(own),
        _layer(machine),
        {"config": _encrypted(previous.get("config", {})) or {}},
        {key: value for key, value in previous.items() if key == "encryptionsalt"},
    )
    lab.config_file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = lab.config_file.with_suffix(".new")
    unfinished.write_text(yaml.safe_dump(composed, sort_keys=False, allow_unicode=True))
    unfinished.rename(lab.config_file)


def read(lab: Lab) -> dict[str, Any]:
    """Return the settings that were written last, without the project's prefix; empty if none were written yet."""
    config = _load(lab.config_file).get("config", {})
    return {name.removeprefix(f"{_PROJECT}:"): value for name, value in config.items()}


def key(name: str) -> str:
    """Return the setting's name in the file, with the project's prefix."""
    return f"{_PROJECT}:{name}"


def _layer(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings in the form of a configuration file."""
    return {"config": {key(name): value for name, value in settings.items()}}


def _merge(earlier: Mapping[str, Any], later: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(earlier)
    for name, value in later.items():
        before = earlier.get(name)
        if isinstance(before, dict) and isinstance(value, dict) and not _is_encrypted(value):
            merged[name] = _merge(before, value)
        else:
            merged[name] = value
    return merged


def _encrypted(value: Any) -> Any:  # noqa: ANN401 - any value of a configuration file
    """Return only the encrypted parts of a setting or of a mapping of settings; None if there are none."""
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
