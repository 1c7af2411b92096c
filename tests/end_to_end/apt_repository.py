"""A repository of Debian packages for the hosts, with packages that are newer than theirs."""

import functools
import hashlib
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

ADDRESS = "192.168.50.1"


class _Handler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Log nothing, to keep the test's output readable."""


@dataclass(frozen=True, kw_only=True)
class Package:
    """A package with the files in the folder `root`."""

    name: str
    version: str
    depends: str
    root: Path


@contextmanager
def serving(folder: Path, packages: Sequence[Package]) -> Iterator[str]:
    """Yield a line for /etc/apt/sources.list, with which a host finds these packages. `folder` is empty."""
    entries = "\n".join(_build(folder, package) for package in packages)
    (folder / "Packages").write_text(entries)
    release = f"SHA256:\n {_sha256(folder / 'Packages')} {len(entries)} Packages\n"
    (folder / "Release").write_text(release)
    server = ThreadingHTTPServer((ADDRESS, 0), functools.partial(_Handler, directory=str(folder)))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"deb [trusted=yes] http://{ADDRESS}:{server.server_port}/ ./"
    finally:
        server.shutdown()
        server.server_close()


def _build(folder: Path, package: Package) -> str:
    """Build the package, and return its entry in the repository's list."""
    asked = subprocess.run(["dpkg", "--print-architecture"], check=True, capture_output=True, text=True)
    control = (
        f"Package: {package.name}\nVersion: {package.version}\nArchitecture: {asked.stdout.strip()}\n"
        f"Depends: {package.depends}\nMaintainer: Nobody <nobody@example.org>\nDescription: made for a test\n"
    )
    (package.root / "DEBIAN").mkdir()
    (package.root / "DEBIAN" / "control").write_text(control)
    deb = folder / f"{package.name}.deb"
    build = ["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", str(package.root), str(deb)]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
    return f"{control}Filename: ./{deb.name}\nSize: {deb.stat().st_size}\nSHA256: {_sha256(deb)}\n"


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
