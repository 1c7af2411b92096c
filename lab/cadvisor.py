"""The offline lab's replacement for the upstream cAdvisor image, built from cAdvisor's library (lab/go/cadvisor)."""

from pathlib import Path

from lab import go_build
from lab.progress import step
from lab.rootfs import Recipe

_MODULE = go_build.MODULES / "cadvisor"


def recipe() -> Recipe:
    """Return an image with /usr/bin/cadvisor, where upstream has it too, and wget for the health check.

    It has no entry point. A service whose command gives the full path runs on both images.

    Raises:
        LabError: Go is missing or too old, or the build failed.
    """
    program = go_build.once(f"cadvisor-{go_build.key(_MODULE)}", _build)
    return Recipe(name="cadvisor", packages=("wget",), trees=(("/usr/bin", program),))


def _build(folder: Path) -> None:
    go_build.require_go(_MODULE)
    with step("building cAdvisor from source, once"):
        # The cache key covers only the module's files, so nothing else may get into the program.
        reproducible = ("-trimpath", "-buildvcs=false", "-ldflags=-s -w")
        go_build.go(_MODULE, "build", *reproducible, "-o", f"{folder}/cadvisor", ".")
