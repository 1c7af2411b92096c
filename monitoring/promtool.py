"""Prometheus's own check of its files, where promtool is installed."""

import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pulumi


class RejectedFilesError(pulumi.RunError):
    """Prometheus would not take these files; the text is promtool's."""


def check(files: Mapping[str, str]) -> bool:
    """Have promtool check the configuration `prometheus.yml` and the rules beside it; False if there is no promtool.

    The host checks them too before they reach Prometheus: this only tells earlier.

    Raises:
        RejectedFilesError: promtool found a mistake.
    """
    if not shutil.which("promtool"):
        return False
    with tempfile.TemporaryDirectory() as folder:
        for path, content in files.items():
            target = Path(folder, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content)
        done = subprocess.run(
            ["promtool", "check", "config", "prometheus.yml"], cwd=folder, capture_output=True, text=True, check=False
        )
    if done.returncode:
        raise RejectedFilesError(f"monitoring/: Prometheus rejects its files:\n{done.stdout}{done.stderr}".rstrip())
    return True
