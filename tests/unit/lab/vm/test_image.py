"""The disk of virtual machines has all that hosts/provision.sh would install, since they reach no package registry."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from lab import local_registry
from lab.vm import image, network, provision

ROOT = Path(__file__).parent.parent.parent.parent.parent


def test_provisioning_has_nothing_to_install() -> None:
    script = (ROOT / "hosts" / "provision.sh").read_text()
    installed = " ".join(re.findall(r"apt-get install (.*)", script)).replace(
        '"docker.io=$engine_version"', "docker.io"
    )
    packages = {word.strip(";") for word in installed.split() if not word.startswith("-")}

    assert {"docker.io", "ethtool"} <= packages <= set(image.RECIPE.packages)


def test_machines_pull_from_the_labs_registry_at_the_bridge() -> None:
    assert local_registry.ADDRESS.startswith(f"{network.ADDRESS}:")
    assert f"--insecure-registry={local_registry.ADDRESS}" in dict(image.RECIPE.files)["/etc/default/docker"]


def test_machines_get_the_files_that_vagrant_copies() -> None:
    vagrantfile = (ROOT / "Vagrantfile").read_text()
    (copied,) = re.findall(r"%w\[(daemon\.json sshd\.conf)\]", vagrantfile)

    assert {Path(file).name for file in provision._FILES} == {*copied.split(), "provision.sh"}
    assert all((ROOT / file).is_file() for file in provision._FILES)


@pytest.mark.parametrize("changed", [{"packages": ("x",)}, {"files": ()}, {"commands": ()}], ids=str)
def test_a_changed_recipe_is_built_anew(changed: dict[str, tuple[str, ...]]) -> None:
    assert replace(image.RECIPE, **changed).key != image.RECIPE.key
