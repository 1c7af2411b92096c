"""A repository of Debian packages for the hosts, with one package that is newer than theirs."""

import functools
import hashlib
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

ADDRESS = "192.168.50.1"


class _Handler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Log nothing, to keep the test's output readable."""


@contextmanager
def serving(folder: Path, *, package: str, version: str, depends: str, root: Path) -> Iterator[str]:
    """Yield a line for /etc/apt/sources.list. The package has the files in `root`; `folder` is empty."""
    architecture = subprocess.run(
        ["dpkg", "--print-architecture"], check=True, capture_output=True, text=True
    ).stdout.strip()
    control = (
        f"Package: {package}\nVersion: {version}\nArchitecture: {architecture}\nDepends: {depends}\n"
        "Maintainer: Nobody <nobody@example.org>\nDescription: made for a test\n"
    )
    (root / "DEBIAN").mkdir()
    (root / "DEBIAN" / "control").write_text(control)
    deb = folder / f"{package}.deb"
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", str(root), str(deb)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    entry = f"{control}Filename: ./{deb.name}\nSize: {deb.stat().st_size}\nSHA256: {_sha256(deb)}\n"
    (folder / "Packages").write_text(entry)
    release = f"SHA256:\n {_sha256(folder / 'Packages')} {len(entry)} Packages\n"
    (folder / "Release").write_text(release)
    server = ThreadingHTTPServer((ADDRESS, 0), functools.partial(_Handler, directory=str(folder)))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"deb [trusted=yes] http://{ADDRESS}:{server.server_port}/ ./"
    finally:
        server.shutdown()
        server.server_close()


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
