"""The registry that an offline lab runs, from which its hosts pull what stands for the upstream images.

All labs of this user share the stored images. Each lab runs its own registry process, in its own namespace. The
registry of the settings, to which the program pushes its own images, is another one: `components/registry.py`.
"""

import json
import re
import subprocess
import time

import yaml

from lab import engine, namespace, rootfs
from lab.packages import LabError
from lab.paths import Lab, cache_dir
from lab.progress import step
from lab.rootfs import Recipe

ADDRESS = "192.168.50.1:5000"
"""Where the hosts reach the registry: at the gateway of their private network."""

_LOCAL = "127.0.0.1:5000"
_START_SECONDS = 20


def start(lab: Lab) -> None:
    """Start the registry, unless it is already running.

    Raises:
        LabError: it did not start; with the end of its log.
    """
    if _answers(lab):
        return
    for folder in (lab.machine_dir, lab.logs_dir):
        folder.mkdir(parents=True, exist_ok=True)
    config = lab.machine_dir / "registry.yml"
    config.write_text(
        yaml.safe_dump(
            {
                "version": 0.1,
                "log": {"level": "warn"},
                "storage": {"filesystem": {"rootdirectory": str(cache_dir() / "registry")}},
                "http": {"addr": "0.0.0.0:5000"},
            }
        )
    )
    log = lab.logs_dir / "registry.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            namespace.command(lab, ["docker-registry", "serve", str(config)]),
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    deadline = time.monotonic() + _START_SECONDS
    while not _answers(lab):
        if process.poll() is not None or time.monotonic() > deadline:
            raise LabError(f"the registry did not start; its log:\n{log.read_text()[-2000:]}")
        time.sleep(0.1)


def publish(lab: Lab, recipe: Recipe) -> str:
    """Build and push the image unless the registry has it, and return the reference with digest for hosts to pull.

    Raises:
        LabError: the push succeeded, but the registry does not have the image.
    """
    repository = f"lab/{recipe.name}"
    digest = _digest(lab, repository, recipe.key)
    if not digest:
        tar = rootfs.build(recipe)
        tagged = f"{_LOCAL}/{repository}:{recipe.key}"
        with step(f"publishing image {recipe.name} to the hosts' registry"):
            _run(engine.docker(lab, "import", "--change", "ENV LANG=C.UTF-8", str(tar), tagged))
            _run(engine.docker(lab, "push", "--quiet", tagged))
            _run(engine.docker(lab, "image", "rm", tagged))
        digest = _digest(lab, repository, recipe.key)
        if not digest:
            raise LabError(f"the registry lacks {tagged}, which has just been pushed: see the logs in {lab.logs_dir}")
    return f"{ADDRESS}/{repository}:{recipe.key}@{digest}"


def _digest(lab: Lab, repository: str, tag: str) -> str:
    """Return the digest of an image's manifest; empty if the registry has no such image."""
    accept = "Accept: application/vnd.docker.distribution.manifest.v2+json"
    answer = _curl(lab, "--head", "--header", accept, f"http://{_LOCAL}/v2/{repository}/manifests/{tag}")
    match = re.search(r"^docker-content-digest: (sha256:[0-9a-f]{64})", answer, re.IGNORECASE | re.MULTILINE)
    return match.group(1) if match else ""


def _answers(lab: Lab) -> bool:
    if not namespace.exists(lab):
        return False
    try:
        return bool(json.loads(_curl(lab, f"http://{_LOCAL}/v2/") or "null") == {})
    except json.JSONDecodeError:
        return False


def _curl(lab: Lab, *arguments: str) -> str:
    command = namespace.command(lab, ["curl", "--silent", "--fail", "--noproxy", "*", "--max-time", "10", *arguments])
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
