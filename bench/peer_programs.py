"""Installs the programs that the file service is compared with, and the load generator, once each into the cache."""

import subprocess
import sys
from pathlib import Path

from lab.go_build import once

VERSIONS = {
    "copyparty": "1.20.26",  # PyPI
    "dufs": "0.47.0",  # crates.io
    "libluajit-5.1-2": "2.1.*",  # Debian, for wrk
    "nginx": "1.22.1-*",  # Debian; it keeps only the newest of its own revisions
    "uploadserver": "6.0.5",  # PyPI
    "wrk": "4.1.0-*",  # Debian
}

WEED = Path(sys.prefix) / "bin" / "weed"  # SeaweedFS is one of the project's own packages


def dufs() -> Path:
    """Return dufs's program, built from its crate; the first time takes minutes."""

    def build(folder: Path) -> None:
        _run(["cargo", "install", "--quiet", "--locked", "--root", str(folder), _pinned("dufs", "@")], folder)

    return once(f"dufs-{VERSIONS['dufs']}", build) / "bin" / "dufs"


def nginx() -> Path:
    """Return nginx's program. The package is only unpacked, so no service is registered or started."""
    return _debian("nginx") / "usr" / "sbin" / "nginx"


def wrk() -> list[str]:
    """Return the load generator's command, which sets the path of the library that it needs."""
    folder = _debian("wrk", "libluajit-5.1-2")
    libraries = next(folder.glob("usr/lib/*/libluajit-5.1.so.2")).parent
    return ["env", f"LD_LIBRARY_PATH={libraries}", str(folder / "usr" / "bin" / "wrk")]


def python_with(package: str) -> Path:
    """Return the Python of an environment that has the package from PyPI."""

    def build(folder: Path) -> None:
        _run([sys.executable, "-m", "venv", str(folder)], folder)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run([*pip, _pinned(package, "==")], folder)

    return once(f"{package}-{VERSIONS[package]}", build) / "bin" / "python"


def _debian(*packages: str) -> Path:
    """Return a folder with the packages' files, at the paths that they would have below /."""

    def build(folder: Path) -> None:
        _run(["apt-get", "download", "-qq", *(_pinned(package, "=") for package in packages)], folder)
        for package in folder.glob("*.deb"):
            _run(["dpkg-deb", "--extract", str(package), str(folder)], folder)

    return once(f"{packages[0]}-{VERSIONS[packages[0]].rstrip('-*')}", build)


def _pinned(package: str, sign: str) -> str:
    return f"{package}{sign}{VERSIONS[package]}"


def _run(command: list[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, check=True)
