"""A check of Prometheus's files by promtool, if that is installed."""

import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pulumi


class RejectedFilesError(pulumi.RunError):
    """Prometheus would reject the files. The message is promtool's."""


def check(files: Mapping[str, str]) -> bool:
    """Check `prometheus.yml` and its rules with promtool. Return False if promtool is not installed.

    The host checks the files again before Prometheus gets them. This check only reports an error earlier.

    Raises:
        RejectedFilesError: promtool has found an error.
    """
    if not shutil.which("promtool"):
        return False
    with tempfile.TemporaryDirectory() as folder:
        for path, content in files.items():
            target = Path(folder, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content)
        result = subprocess.run(
            ["promtool", "check", "config", "prometheus.yml"], cwd=folder, capture_output=True, text=True, check=False
        )
    if result.returncode:
        raise RejectedFilesError(f"monitoring/: Prometheus rejects its files:\n{result.stdout}{result.stderr}".rstrip())
    return True
