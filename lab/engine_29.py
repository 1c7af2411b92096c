"""Docker Engine 29, which Debian does not have, built from its Go module for a host that is to run it."""

from pathlib import Path

from lab import go_build
from lab.progress import step

VERSION = "29.7.1"
_MODULE = go_build.MODULES / "engine"
_ENGINE = "github.com/moby/moby/v2"


def build() -> Path:
    """Build the Engine unless it is cached, and return the folder with its programs `dockerd` and `docker-proxy`.

    Raises:
        LabError: Go is missing or too old, or the build failed.
    """
    return go_build.once(f"engine-{VERSION}-{go_build.key(_MODULE)}", _build)


def _build(folder: Path) -> None:
    go_build.require_go(_MODULE)
    with step(f"building Docker Engine {VERSION} from source, once, about 3 minutes"):
        flags = f"-ldflags=-s -w -X {_ENGINE}/dockerversion.Version={VERSION}"
        programs = (f"{_ENGINE}/cmd/dockerd", f"{_ENGINE}/cmd/docker-proxy")
        go_build.go(_MODULE, "build", "-trimpath", "-buildvcs=false", flags, "-o", f"{folder}/", *programs)
