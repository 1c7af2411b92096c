"""Builds programs from Go modules, once, and caches them. An interrupted build leaves no tool in the cache."""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.packages import LabError
from lab.paths import cache_dir

MODULES = Path(__file__).parent / "go"
_UNFINISHED = ".unfinished-"


def once(name: str, build: Callable[[Path], None], *, kind: str = "tools") -> Path:
    """Return the folder `name` in the cache's folder `kind`. If it is not cached, `build` fills it.

    Other builds of this kind wait for it.

    An interrupted build leaves nothing that a later one would use.
    """
    folder = cache_dir() / kind / name
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _one_at_a_time(folder.parent):
            if not folder.exists():  # another process may have built it while this one waited
                _build(folder, build)
    return folder


def require_go(module: Path, alternative: str = "") -> None:
    """Check that Go is installed and new enough for the module.

    Args:
        module: The folder with the module's go.mod.
        alternative: What the user may install instead of Go, for the error message.

    Raises:
        LabError: Go is missing or too old.
    """
    needed = re.search(r"^go (\S+)$", (module / "go.mod").read_text(), re.MULTILINE)
    assert needed, "every go.mod names a Go version"  # noqa: S101 - a broken checkout, not a user's mistake
    remedy = f"install Go {needed[1]} or newer" + (f", or {alternative}" if alternative else "")
    if not shutil.which("go"):
        raise LabError(f"Go is missing: {remedy}")
    installed = go(module, "env", "GOVERSION").removeprefix("go")
    if _numbers(installed) < _numbers(needed[1]):
        raise LabError(f"Go {installed} is too old: {remedy}")


def go(module: Path, *arguments: str, cgo: bool = False) -> str:
    """Run `go` in the module's folder, and return what it prints. Without `cgo`, no C is compiled.

    Raises:
        LabError: it failed; its own error has already been printed.
    """
    done = subprocess.run(
        ["go", *arguments],
        cwd=module,
        env={**os.environ, "CGO_ENABLED": str(int(cgo))},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise LabError(f"go {arguments[0]} failed in {module}: see above")
    return done.stdout.strip()


def key(module: Path) -> str:
    """Return the first 12 hex digits of a hash of the names and contents of the module folder's files."""
    digest = hashlib.sha256()
    for path in sorted(module.iterdir()):
        digest.update(f"{path.name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()[:12]


def _build(folder: Path, build: Callable[[Path], None]) -> None:
    for abandoned in folder.parent.glob(f"{_UNFINISHED}*"):
        shutil.rmtree(abandoned)
    unfinished = Path(tempfile.mkdtemp(dir=folder.parent, prefix=_UNFINISHED))
    try:
        build(unfinished)
        unfinished.chmod(0o755)
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Wait for other builds to end, since two at once would each take twice as long."""
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _numbers(version: str) -> tuple[int, ...]:
    """Return a version such as "1.25.11" as numbers to compare; "1.26rc1" counts as 1.26."""
    return tuple(int(number) for number in re.findall(r"\d+", version.partition("rc")[0].partition("-")[0]))
