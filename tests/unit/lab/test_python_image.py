"""The base of Python images has the wheels that the lock file names."""

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
    """Records pip's arguments. Each download puts one wheel into the given folder."""
    asked = []

    def run(command, **_):
        asked.append(command)
        folder = next(word.removeprefix("--dest=") for word in command if word.startswith("--dest="))
        python_image.Path(folder, "bottle.whl").write_text(f"wheel {len(asked)}")

    monkeypatch.setattr(python_image.subprocess, "run", run)
    return asked


def test_wheels_are_downloaded_by_hash_for_the_python_of_the_image(requirements, downloads):
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


def test_a_failed_download_leaves_nothing_in_the_cache(requirements, monkeypatch):
    def fail(command, **_):
        raise subprocess.CalledProcessError(1, command)

    monkeypatch.setattr(python_image.subprocess, "run", fail)

    with pytest.raises(subprocess.CalledProcessError):
        python_image.wheels(requirements)

    assert list((requirements.parent / "cache" / "swarm-transfer" / "wheels").iterdir()) == []


@pytest.mark.usefixtures("downloads")
def test_pip_in_the_image_uses_only_the_wheels(requirements):
    recipe = python_image.recipe(requirements)

    assert dict(recipe.files)["/etc/pip.conf"].startswith("[global]\nno-index = true\nfind-links = /opt/wheels\n")
    assert recipe.trees == (("/opt/wheels", python_image.wheels(requirements)),)
