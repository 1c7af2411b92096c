"""Writes what a deployment is made of as a CycloneDX SBOM: `python -m tools.sbom`, or `make sbom`.

Everything in it is pinned in the checkout: the Python packages of the program and of the file service's image, with the
hashes that pip accepts, and the upstream images. Debian's packages are in no lock file, so they are not listed.
"""

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from settings.models import Images

ROOT = Path(__file__).parent.parent
PROGRAM = Path("requirements/program.txt")
SERVICE = Path("services/file_transfer/requirements.txt")
OUTPUT = Path("build/sbom.cdx.json")

_PACKAGE = re.compile(r"^([a-z0-9._-]+)==(\S+) \\\n((?: +--hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.MULTILINE)


def packages(lock_file: Path) -> list[Component]:
    """Return the packages of a lock file, each with the hashes of all its distributions."""
    return [
        _package(name, version, re.findall(r"sha256:([0-9a-f]{64})", hashes))
        for name, version, hashes in _PACKAGE.findall(lock_file.read_text())
    ]


def image(reference: str) -> Component:
    """Return an upstream image that is pinned by tag and digest.

    Raises:
        ValueError: the reference has no tag or no digest.
    """
    pinned = re.fullmatch(
        r"((?P<registry>[^/]+\.[^/]+)/)?(?P<path>[^:@]+):(?P<tag>[^@]+)@sha256:(?P<digest>\w+)", reference
    )
    if not pinned:
        raise ValueError(f'the image is "{reference}": give its tag and its digest, such as "haproxy:3.2@sha256:…"')
    namespace, _, name = pinned["path"].rpartition("/")
    qualifiers = {"tag": pinned["tag"], "repository_url": pinned["registry"]}
    url = PackageURL(
        "docker", namespace, name, f"sha256:{pinned['digest']}", {k: v for k, v in qualifiers.items() if v}
    )
    return Component(
        type=ComponentType.CONTAINER,
        name=reference.partition(":")[0],
        version=pinned["tag"],
        purl=url,
        bom_ref=url.to_string(),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=pinned["digest"])],
    )


def bom(root: Path = ROOT) -> Bom:
    """Return the SBOM of a checkout: the program, the file service's image, and what each of them is made of."""
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    program = Component(type=ComponentType.APPLICATION, name=project["name"], version=project["version"])
    service = Component(type=ComponentType.CONTAINER, name="file-transfer", bom_ref="file-transfer")
    images = {name: image(reference) for name, reference in Images().model_dump().items()}
    of_program, of_service = packages(root / PROGRAM), packages(root / SERVICE)
    made = Bom(components=[*_merged([*of_program, *of_service]), service, *images.values()])
    made.metadata.component = program
    made.register_dependency(program, [*of_program, service, *images.values()])
    made.register_dependency(service, [*of_service, images["python"]])
    return made


def main() -> None:
    """Write the SBOM, and say where it is."""
    path = ROOT / OUTPUT
    path.parent.mkdir(exist_ok=True)
    made = bom()
    path.write_text(JsonV1Dot6(made).output_as_string(indent=2) + "\n")
    print(f"{OUTPUT}: {len(made.components)} components")


def _package(name: str, version: str, hashes: Iterable[str]) -> Component:
    url = PackageURL("pypi", None, name, version)
    # Each hash is that of one distribution, such as the wheel for one platform: not one of them is the package's own.
    distributions = ExternalReference(
        type=ExternalReferenceType.DISTRIBUTION,
        url=XsUri(url.to_string()),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest) for digest in hashes],
    )
    return Component(
        type=ComponentType.LIBRARY,
        name=name,
        version=version,
        purl=url,
        bom_ref=url.to_string(),
        external_references=[distributions],
    )


def _merged(components: Iterable[Component]) -> list[Component]:
    """Return the components without those that another lock file has in the same version."""
    return list({component.bom_ref.value: component for component in components}.values())


if __name__ == "__main__":
    main()
