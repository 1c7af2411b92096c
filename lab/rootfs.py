"""Build the root filesystems of the lab's images from Debian packages with mmdebstrap, and cache them by recipe."""

import hashlib
import os
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from lab.paths import cache_dir
from lab.progress import step

SUITE = "trixie"

# Containers need no documentation. Without it, the images are a third smaller.
_LEAN = tuple(
    f"--dpkgopt=path-exclude={path}"
    for path in ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")
)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A root filesystem: Debian packages, with files added or replaced (path in the image, content)."""

    name: str
    packages: tuple[str, ...]
    files: tuple[tuple[str, str], ...] = ()
    trees: tuple[tuple[str, Path], ...] = ()
    """Folders to copy in: (path in the image, folder on this machine)."""
    links: tuple[tuple[str, str], ...] = ()
    """Links, most for programs with another path in Debian than in the upstream image: (upstream path, Debian path)."""
    commands: tuple[str, ...] = ()
    """Shell commands to run at the end, in the root filesystem."""

    @property
    def key(self) -> str:
        """The first 12 hex digits of a hash of everything in the recipe."""
        digest = hashlib.sha256(repr((SUITE, self.name, self.packages, self.files, self.links, _LEAN)).encode())
        for target, tree in self.trees:
            digest.update(target.encode())
            for path in sorted(tree.rglob("*")):
                if path.is_file():
                    digest.update(str(path.relative_to(tree)).encode())
                    digest.update(hashlib.sha256(path.read_bytes()).digest())
        for command in self.commands:
            digest.update(f"\0{command}".encode())
        return digest.hexdigest()[:12]

    @property
    def tar(self) -> Path:
        """The path where the built filesystem is cached."""
        return cache_dir() / "rootfs" / f"{self.name}-{self.key}.tar"


HOST = Recipe(
    name="host",
    packages=(
        "bash", "ca-certificates", "curl", "docker-cli", "docker.io", "iproute2", "iptables", "openssh-server",
        "procps", "sudo",
    ),
)  # fmt: skip

HAPROXY = Recipe(name="haproxy", packages=("bash", "haproxy"))

MONITORING = Recipe(
    name="monitoring",
    packages=("curl", "influxdb", "influxdb-client", "prometheus", "prometheus-alertmanager", "wget"),
    links=(("/bin/alertmanager", "/usr/bin/prometheus-alertmanager"),),
)
"""Prometheus, Alertmanager and InfluxDB. They run on the same host, so it only pulls one image."""

NODE_EXPORTER = Recipe(
    name="node-exporter",
    packages=("prometheus-node-exporter", "wget"),
    links=(("/bin/node_exporter", "/usr/bin/prometheus-node-exporter"),),
)

DEBIAN = Recipe(
    name="debian",
    packages=("etcd-client", "etcd-server", "nftables", "patroni", "postgresql-17", "python3-etcd", "wget"),
    # With the packages installed and no source for others, apt has nothing to do when the image is built.
    files=(("/etc/apt/sources.list", ""),),
)
"""The base of the images of the index and of the firewall, with all packages that their Dockerfiles install."""


def build(recipe: Recipe) -> Path:
    """Build the recipe unless it is cached, and return its tar file. An interrupted build leaves nothing behind."""
    if recipe.tar.exists():
        return recipe.tar
    recipe.tar.parent.mkdir(parents=True, exist_ok=True)
    unfinished = recipe.tar.with_name(f".{recipe.tar.stem}-{os.getpid()}.tar")
    hooks = [_write_hook(path, content) for path, content in recipe.files]
    hooks += [f'ln -s {target} "$1{path}"' for path, target in recipe.links]
    hooks += [f'mkdir -p "$1{target}" && cp -r {tree}/. "$1{target}"' for target, tree in recipe.trees]
    hooks += [f'chroot "$1" sh -c {shlex.quote(command)}' for command in recipe.commands]
    command = [
        "mmdebstrap",
        "--quiet",
        "--variant=minbase",
        f"--include={','.join(recipe.packages)}",
        *_LEAN,
        *(f"--customize-hook={hook}" for hook in hooks),
        SUITE,
        str(unfinished),
    ]
    with step(f"building the image {recipe.name} from Debian packages"):
        try:
            subprocess.run(command, check=True)
            unfinished.rename(recipe.tar)
        finally:
            unfinished.unlink(missing_ok=True)
    return recipe.tar


def _write_hook(path: str, content: str) -> str:
    return f'mkdir -p "$(dirname "$1{path}")" && cat > "$1{path}" <<\'EOF\'\n{content}\nEOF'
