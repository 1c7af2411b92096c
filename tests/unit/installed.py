"""The components as others get them: installed with pip."""

import importlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
_SOURCES = ("components", "monitoring", "docs", "pyproject.toml", "LICENSE")


def install(folder: Path) -> Path:
    """Install the components into a new folder and return the folder to put on Python's path."""
    # From a copy, because a build leaves files beside the sources.
    source = folder / "source"
    for name in _SOURCES:
        origin = ROOT / name
        if origin.is_dir():
            shutil.copytree(origin, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(origin, source / name)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps"]
    subprocess.run([*pip, "--no-build-isolation", f"--target={folder / 'site'}", str(source)], check=True)
    return folder / "site"


@contextmanager
def importable(folder: Path, *own: str) -> Iterator[Path]:
    """Install the components and put them on Python's path; afterwards forget them, and a program's `own` modules."""
    site = install(folder)
    sys.path.insert(0, str(site))
    importlib.invalidate_caches()
    yield site
    sys.path.remove(str(site))
    for name in [name for name in sys.modules if name.partition(".")[0] in ("swarm_transfer", *own)]:
        del sys.modules[name]
