"""Lists the pins that have a newer version: `python -m tools.outdated`, or `make outdated`.

It asks where the pins come from: pip's package index, Go's module proxy, and the images' registries through `skopeo`.
It changes nothing. It is no part of `make check`, because its result changes without a change of the checkout.
"""

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from components import images

ROOT = Path(__file__).parent.parent
REQUIREMENTS = (
    "requirements/program.in",
    "requirements/client.in",
    "requirements/lab.in",
    "requirements/test.in",
    "services/file_transfer/requirements.in",
    "policy/requirements.in",
    "examples/hcloud/requirements.in",
)
GO_MODULES = ("lab/go/cadvisor", "lab/go/cli", "lab/go/engine", "lab/go/language", "lab/go/runc")

_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==(\S+)", re.MULTILINE)
_REFERENCE = re.compile(r"(?P<repository>[^@]+):(?P<tag>[^:@]+)@(?P<digest>sha256:[0-9a-f]{64})")
_GO_FORMAT = "{{.Path}} {{.Version}} {{with .Update}}{{.Version}}{{end}}"
_THREADS = 8
_SECONDS = 120


class UnansweredError(Exception):
    """Nobody says whether there is a newer version; the text is the reason."""


@dataclass(frozen=True, order=True)
class Pin:
    """What is pinned, where, and to which version."""

    file: str
    name: str
    version: str


def main() -> int:
    """Print a line for each pin with a newer version; 0 if every pin was looked up."""
    with ThreadPoolExecutor(_THREADS) as pool:
        asked = [(pin, pool.submit(ask, pin)) for ask, pins in _questions() for pin in pins]
        asked_go = [(file, pool.submit(newer_modules, file)) for file in GO_MODULES]
    newer: list[tuple[Pin, str]] = []
    unanswered: list[str] = []
    for pin, answer in asked:
        try:
            if found := answer.result():
                newer.append((pin, found))
        except UnansweredError as error:
            unanswered.append(f"{pin.name}: {error}")
    for file, modules in asked_go:
        try:
            newer += modules.result()
        except UnansweredError as error:
            unanswered.append(f"{file}/go.mod: {error}")
    for pin, version in sorted(newer):
        print(f"{pin.file}: {pin.name} {pin.version} -> {version}")
    for line in unanswered:
        print(f"outdated: not known: {line}", file=sys.stderr)
    if not newer and not unanswered:
        print("every pin has its newest version")
    return 1 if unanswered else 0


def python_pins(root: Path = ROOT) -> list[Pin]:
    """Return the packages that the requirements name themselves, each once."""
    found: dict[str, Pin] = {}
    for file in REQUIREMENTS:
        for name, version in _PIN.findall((root / file).read_text()):
            found.setdefault(name, Pin(file, name, version))
    return list(found.values())


def image_pins() -> list[Pin]:
    """Return the upstream images; the version is tag and digest."""
    references = [value for name, value in vars(images).items() if name.isupper()]
    found = [_REFERENCE.fullmatch(reference) for reference in references]
    return [
        Pin("components/images.py", match["repository"], f"{match['tag']}@{match['digest']}")
        for match in found
        if match
    ]


def newer_package(pin: Pin) -> str:
    """Return the newest version of a Python package; "" if it is the pinned one.

    Raises:
        UnansweredError: the package index does not say.
    """
    answer = _output(sys.executable, "-m", "pip", "index", "versions", "--json", pin.name)
    latest = str(json.loads(answer)["latest"])
    return "" if latest == pin.version else latest


def newer_image(pin: Pin) -> str:
    """Return the newest tag of an image of the same form, or that its tag has moved; "" if neither is so.

    Raises:
        UnansweredError: the registry does not say.
    """
    tag, _, digest = pin.version.partition("@")
    tags = json.loads(_output("skopeo", "list-tags", f"docker://{pin.name}"))["Tags"]
    if (newest := newest_tag(tag, tags)) != tag:
        return newest
    manifest = _output("skopeo", "inspect", "--raw", f"docker://{pin.name}:{tag}")
    now = f"sha256:{hashlib.sha256(manifest.encode()).hexdigest()}"
    return "" if now == digest else f"{tag}@{now}"


def newest_tag(tag: str, tags: Iterable[str]) -> str:
    """Return the newest of the tags that differ from this one in their numbers only."""
    form = re.compile(re.sub(r"\d+", r"\\d+", re.escape(tag)))
    return max([tag, *filter(form.fullmatch, tags)], key=lambda found: [int(n) for n in re.findall(r"\d+", found)])


def newer_modules(folder: str, root: Path = ROOT) -> list[tuple[Pin, str]]:
    """Return the Go modules that a folder's go.mod requires itself and that have a newer version, with that version.

    A module that is required for a tool counts too.

    Raises:
        UnansweredError: the module proxy does not say.
    """
    parsed = json.loads(_output("go", "mod", "edit", "-json", folder=root / folder))
    tools = [tool["Path"] for tool in parsed.get("Tool") or []]
    names = [
        module["Path"]
        for module in parsed["Require"]
        if not module.get("Indirect") or any(tool.startswith(f"{module['Path']}/") for tool in tools)
    ]
    listed = _output("go", "list", "-m", "-u", "-mod=mod", "-f", _GO_FORMAT, *names, folder=root / folder)
    found = [line.split() for line in listed.splitlines()]
    return [(Pin(f"{folder}/go.mod", name, version), update[0]) for name, version, *update in found if update]


def _questions() -> list[tuple[Callable[[Pin], str], list[Pin]]]:
    return [(newer_package, python_pins()), (newer_image, image_pins())]


def _output(*command: str, folder: Path = ROOT) -> str:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=_SECONDS)
    except FileNotFoundError:
        raise UnansweredError(f"{command[0]} is not installed") from None
    except subprocess.TimeoutExpired:
        raise UnansweredError(f"no answer within {_SECONDS} seconds") from None
    if done.returncode:
        raise UnansweredError((done.stderr.strip() or f"{command[0]} failed").splitlines()[-1])
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
