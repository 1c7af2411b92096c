"""Images are pushed to the hosts' registry once, and tagged by a hash of their contents."""

from pathlib import Path

import pytest

from lab import local_registry, rootfs
from lab.packages import LabError
from lab.paths import Lab
from lab.rootfs import Recipe

DIGEST = "sha256:" + "0a" * 32
RECIPE = Recipe(name="haproxy", packages=("haproxy",))
LAB = Lab(name="test", checkout=Path("/nowhere"))


class Registry:
    """Replaces curl and docker, and has the images that were pushed."""

    def __init__(self) -> None:
        self.held: set[str] = set()
        self.commands: list[list[str]] = []
        self.loses_pushes = False

    def curl(self, _: Lab, *arguments: str) -> str:
        repository, tag = arguments[-1].split("/v2/")[1].split("/manifests/")
        headers = f"HTTP/1.1 200 OK\r\nDocker-Content-Digest: {DIGEST}\r\nEtag: x\r\n"
        return headers if f"127.0.0.1:5000/{repository}:{tag}" in self.held else ""

    def run(self, command: list[str]) -> None:
        self.commands.append(command)
        if "push" in command and not self.loses_pushes:
            self.held.add(command[-1])


@pytest.fixture
def served(monkeypatch, tmp_path):
    stand_in = Registry()
    monkeypatch.setattr(local_registry, "_curl", stand_in.curl)
    monkeypatch.setattr(local_registry, "_run", stand_in.run)
    monkeypatch.setattr(rootfs, "build", lambda _: tmp_path / "image.tar")
    return stand_in


@pytest.mark.usefixtures("served")
def test_the_reference_has_the_address_for_hosts_and_the_digest():
    reference = local_registry.publish(LAB, RECIPE)

    assert reference == f"192.168.50.1:5000/lab/haproxy:{RECIPE.key}@{DIGEST}"


def test_an_image_that_the_registry_has_is_neither_built_nor_pushed(served, monkeypatch):
    first = local_registry.publish(LAB, RECIPE)
    served.commands.clear()
    monkeypatch.setattr(rootfs, "build", lambda _: pytest.fail("built again"))

    assert local_registry.publish(LAB, RECIPE) == first
    assert served.commands == []


def test_a_changed_recipe_is_another_image(served):
    changed = Recipe(name="haproxy", packages=("bash", "haproxy"))

    assert local_registry.publish(LAB, RECIPE) != local_registry.publish(LAB, changed)
    assert len(served.held) == 2


def test_the_engine_keeps_no_copy(served):
    local_registry.publish(LAB, RECIPE)

    assert served.commands[-1][-3:-1] == ["image", "rm"]


def test_an_image_that_the_registry_lacks_after_the_push_is_an_error(served):
    served.loses_pushes = True

    with pytest.raises(LabError, match=f"lacks 127.0.0.1:5000/lab/haproxy:{RECIPE.key}"):
        local_registry.publish(LAB, RECIPE)
