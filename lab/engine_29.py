"""Docker Engine 29, which Debian does not have, built from its Go module for a host that is to run it."""

from pathlib import Path

from lab import go_build
from lab.progress import step

VERSION = "29.7.1"
RUNC_VERSION = "1.4.3"
"""The runc with which Docker releases this Engine. Debian's is too old for it."""

_MODULE = go_build.MODULES / "engine"
_ENGINE = "github.com/moby/moby/v2"
_RUNC_MODULE = go_build.MODULES / "runc"
_RUNC = "github.com/opencontainers/runc"
_REPRODUCIBLE = ("-trimpath", "-buildvcs=false")


def build() -> Path:
    """Build the Engine unless it is cached, and return the folder with `dockerd`, `docker-proxy` and `runc`.

    The packages in `packages.RUNC` must be installed.

    Raises:
        LabError: Go is missing or too old, or the build failed.
    """
    key = f"{go_build.key(_MODULE)}-{go_build.key(_RUNC_MODULE)}"
    return go_build.once(f"engine-{VERSION}-{key}", _build)


def _build(folder: Path) -> None:
    for module in (_MODULE, _RUNC_MODULE):
        go_build.require_go(module)
    with step(f"building Docker Engine {VERSION} from source, once, about 4 minutes"):
        flags = f"-ldflags=-s -w -X {_ENGINE}/dockerversion.Version={VERSION}"
        programs = (f"{_ENGINE}/cmd/dockerd", f"{_ENGINE}/cmd/docker-proxy")
        go_build.go(_MODULE, "build", *_REPRODUCIBLE, flags, "-o", f"{folder}/", *programs)
    with step(f"building runc {RUNC_VERSION} from source, once"):
        flags = f"-ldflags=-s -w -X main.version={RUNC_VERSION}"
        command = ("build", *_REPRODUCIBLE, "-tags=seccomp", flags, "-o", f"{folder}/runc", _RUNC)
        go_build.go(_RUNC_MODULE, *command, cgo=True)
