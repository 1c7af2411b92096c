"""The offline lab's base for Python images: Debian's Python, with the wheels and packages that a build needs."""

import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from lab.paths import cache_dir
from lab.progress import step
from lab.rootfs import Recipe

_VERSION = "3.13"  # Debian 13's
_PIP_CONFIG = "[global]\nno-index = true\nfind-links = /opt/wheels\ndisable-pip-version-check = true\n"


def recipe(requirements: Path) -> Recipe:
    """Return an image for builds that install this hash-locked file. Their Dockerfile fits the upstream image too."""
    return Recipe(
        name="python",
        packages=("ca-certificates", "python3", "python3-venv", "restic"),
        # With the packages installed and no source for others, apt has nothing to do when an image is built.
        files=(("/etc/pip.conf", _PIP_CONFIG), ("/etc/apt/sources.list", "")),
        trees=(("/opt/wheels", wheels(requirements)),),
    )


def wheels(requirements: Path) -> Path:
    """Download the locked wheels for the image's Python, unless they are cached, and return their folder."""
    key = hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
    folder = cache_dir() / "wheels" / key
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".unfinished-"))
    command = [
        sys.executable, "-m", "pip", "download", "--quiet", "--require-hashes", "--only-binary=:all:",
        f"--python-version={_VERSION}", "--platform=manylinux_2_28_x86_64", "--platform=manylinux2014_x86_64",
        f"--dest={unfinished}", f"--requirement={requirements}",
    ]  # fmt: skip
    try:
        with step("downloading wheels for the file service's image"):
            subprocess.run(command, check=True)
        unfinished.chmod(0o755)
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder
