"""The offline lab's stand-in for upstream's image of cAdvisor: built from cAdvisor's library (lab/go/cadvisor)."""

from pathlib import Path

from lab import go_build
from lab.progress import step
from lab.rootfs import Recipe

_MODULE = go_build.MODULES / "cadvisor"


def recipe() -> Recipe:
    """The image: /usr/bin/cadvisor as upstream has it, and a wget for the health check.

    It has no entry point: a service that names the program in full runs on either image.

    Raises:
        LabError: there is no Go to build it with, or too old a one, or the build failed.
    """
    program = go_build.once(f"cadvisor-{go_build.key(_MODULE)}", _build)
    return Recipe(name="cadvisor", packages=("wget",), trees=(("/usr/bin", program),))


def _build(folder: Path) -> None:
    go_build.require_go(_MODULE)
    with step("cAdvisor from source, once"):
        # Without the checkout's state in it, the program depends on the module's files only, as its key says.
        reproducible = ("-trimpath", "-buildvcs=false", "-ldflags=-s -w")
        go_build.go(_MODULE, "build", *reproducible, "-o", f"{folder}/cadvisor", ".")
