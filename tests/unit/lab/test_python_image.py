"""The base of Python images: the wheels in it are those that the lock names."""

import subprocess

import pytest

from lab import python_image


@pytest.fixture
def requirements(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    file = tmp_path / "requirements.txt"
    file.write_text("bottle==0.13.4 --hash=sha256:00\n")
    return file


@pytest.fixture
def downloads(monkeypatch):
    """What pip was asked for; every download puts one wheel into the folder that was asked for."""
    asked = []

    def run(command, **_):
        asked.append(command)
        folder = next(word.removeprefix("--dest=") for word in command if word.startswith("--dest="))
        python_image.Path(folder, "bottle.whl").write_text(f"wheel {len(asked)}")

    monkeypatch.setattr(python_image.subprocess, "run", run)
    return asked


def test_wheels_are_downloaded_by_hash_for_the_image_s_python_not_for_ours(requirements, downloads):
    folder = python_image.wheels(requirements)

    assert [path.name for path in folder.iterdir()] == ["bottle.whl"]
    assert {"--require-hashes", "--only-binary=:all:", "--python-version=3.13"} <= set(downloads[0])


def test_the_same_lock_is_downloaded_once(requirements, downloads):
    assert python_image.recipe(requirements).key == python_image.recipe(requirements).key
    assert len(downloads) == 1


def test_another_lock_makes_another_image(requirements, downloads):
    first = python_image.recipe(requirements).key
    requirements.write_text("bottle==0.13.5 --hash=sha256:11\n")

    assert python_image.recipe(requirements).key != first
    assert len(downloads) == 2


def test_a_download_that_fails_leaves_nothing_that_would_pass_for_wheels(requirements, monkeypatch):
    def fail(command, **_):
        raise subprocess.CalledProcessError(1, command)

    monkeypatch.setattr(python_image.subprocess, "run", fail)

    with pytest.raises(subprocess.CalledProcessError):
        python_image.wheels(requirements)

    assert list((requirements.parent / "cache" / "swarm-transfer" / "wheels").iterdir()) == []


@pytest.mark.usefixtures("downloads")
def test_pip_in_the_image_looks_nowhere_but_at_the_wheels(requirements):
    recipe = python_image.recipe(requirements)

    assert dict(recipe.files)["/etc/pip.conf"].startswith("[global]\nno-index = true\nfind-links = /opt/wheels\n")
    assert recipe.trees == (("/opt/wheels", python_image.wheels(requirements)),)
