"""The choice of plugins: the real one in the right version, otherwise the stand-in, never in the user's home."""

import os
import subprocess

import pytest

from lab.plugins import choice

DOCKER = "pulumi-resource-docker"


@pytest.fixture
def environment(tmp_path, monkeypatch):
    for name in ("home", "bin", "pulumi"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return {"PULUMI_HOME": str(tmp_path / "pulumi"), "PATH": str(tmp_path / "bin")}


def _program(path, version):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho {version}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("home", ["pulumi", "home/.pulumi"])
def test_a_plugin_in_the_pulumi_home_comes_first(tmp_path, environment, home):
    if home.startswith("home"):
        del environment["PULUMI_HOME"]
    installed = _program(tmp_path / home / "plugins" / "resource-docker-v5.2.0" / DOCKER, "5.2.0")
    _program(tmp_path / "bin" / DOCKER, "5.2.0")

    assert choice.find("docker", environment).program == installed


@pytest.mark.parametrize("said", ["5.2.0", "v5.2.0"])
def test_a_plugin_on_path_is_used_if_it_reports_the_right_version(tmp_path, environment, said):
    on_path = _program(tmp_path / "bin" / DOCKER, said)

    found = choice.find("docker", environment)

    assert found.program == on_path
    assert found.description == f"docker 5.2.0: {on_path}"


def test_other_versions_do_not_count(tmp_path, environment):
    _program(tmp_path / "pulumi" / "plugins" / "resource-docker-v4.9.0" / DOCKER, "4.9.0")
    _program(tmp_path / "bin" / DOCKER, "5.2.1")

    found = choice.find("docker", environment)

    assert found.program is None
    assert found.description == "docker 5.2.0: stand-in"


def test_a_real_plugin_is_linked_into_the_home_of_the_lab(tmp_path):
    real = _program(tmp_path / "real" / DOCKER, "5.2.0")
    target = tmp_path / "lab" / "plugins" / "resource-docker-v5.2.0" / DOCKER

    choice.install({"docker": choice.Plugin("docker", None)}, tmp_path / "lab")
    choice.install({"docker": choice.Plugin("docker", real)}, tmp_path / "lab")

    assert target.resolve() == real


def test_a_stand_in_replaces_the_link_and_not_the_real_plugin(tmp_path):
    real = _program(tmp_path / "real" / DOCKER, "5.2.0")
    target = tmp_path / "lab" / "plugins" / "resource-docker-v5.2.0" / DOCKER

    choice.install({"docker": choice.Plugin("docker", real)}, tmp_path / "lab")
    choice.install({"docker": choice.Plugin("docker", None)}, tmp_path / "lab")

    assert real.read_text() == "#!/bin/sh\necho 5.2.0\n"
    assert "-m lab.plugins.docker" in target.read_text()


@pytest.mark.parametrize("name", ["docker", "command"])
def test_a_stand_in_starts_from_any_folder_and_prints_its_port(tmp_path, name):
    choice.install({name: choice.Plugin(name, None)}, tmp_path)
    program = tmp_path / "plugins" / f"resource-{name}-v{choice.VERSIONS[name]}" / f"pulumi-resource-{name}"
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    process = subprocess.Popen(
        [program, "127.0.0.1:1"], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        assert 0 < int(process.stdout.readline()) < 65536
    finally:
        process.kill()
        process.communicate()
