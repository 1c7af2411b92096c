"""Pins with a newer version are listed, and what nobody answers is said."""

import hashlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from components import images
from tools import outdated
from tools.outdated import Pin

Program = Callable[[str, str], None]

MANIFEST = '{"schemaVersion": 2}'
DIGEST = f"sha256:{hashlib.sha256(MANIFEST.encode()).hexdigest()}"


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Write a program to a folder that is first on PATH: its name, and its shell script."""

    def write(name: str, script: str) -> None:
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    return write


def skopeo(*tags: str) -> str:
    listed = json.dumps({"Repository": "example", "Tags": tags})
    return f"case $1 in list-tags) echo '{listed}';; inspect) printf %s '{MANIFEST}';; esac"


def test_every_package_that_is_required_by_name_is_a_pin_once() -> None:
    pins = outdated.python_pins()
    names = [pin.name for pin in pins]

    assert len(set(names)) == len(names)
    assert {"pulumi", "bottle", "pytest", "requests", "psycopg", "pulumi-policy"} <= set(names)
    assert all(pin.version[0].isdigit() for pin in pins)


def test_every_upstream_image_is_a_pin() -> None:
    found = {f"{pin.name}:{pin.version}" for pin in outdated.image_pins()}

    assert found == {value for name, value in vars(images).items() if name.isupper()}


@pytest.mark.parametrize(
    ("tag", "tags", "newest"),
    [
        ("v0.28.1", ["v0.28.1", "v0.31.0", "v0.9.9", "main", "v0.32.0-rc.1"], "v0.31.0"),
        ("3.13-slim", ["3.13-slim", "3.14-slim", "3.14", "3.14-slim-bookworm"], "3.14-slim"),
        ("trixie-slim", ["trixie-slim", "forky-slim"], "trixie-slim"),
        ("1.8.10", ["1.8.9"], "1.8.10"),
    ],
)
def test_a_newer_tag_has_the_same_form(tag: str, tags: list[str], newest: str) -> None:
    assert outdated.newest_tag(tag, tags) == newest


def test_a_tag_that_has_moved_is_shown_with_its_digest(program: Program) -> None:
    program("skopeo", skopeo("3.2"))

    assert outdated.newer_image(Pin("images.py", "haproxy", f"3.2@{DIGEST}")) == ""
    assert outdated.newer_image(Pin("images.py", "haproxy", f"3.2@sha256:{'0' * 64}")) == f"3.2@{DIGEST}"


def test_a_module_with_an_update_is_named_and_others_are_not(program: Program, tmp_path: Path) -> None:
    (tmp_path / "tool").mkdir()
    indirect = [{"Path": "b.example/y", "Indirect": True}, {"Path": "d.example/z", "Indirect": True}]
    required = json.dumps({"Require": [{"Path": "a.example/x"}, *indirect], "Tool": [{"Path": "d.example/z/cmd/tool"}]})
    program(
        "go",
        f"""case $1 in
mod) echo '{required}';;
list) for name; do case $name in
  a.*) echo "$name v1.0.0 v1.2.0"; echo "c.example/z v2.0.0 ";;
  b.*) exit 1;;
  d.*) echo "$name v3.0.0 v3.1.0";;
  esac; done;;
esac""",
    )

    assert outdated.newer_modules("tool", tmp_path) == [
        (Pin("tool/go.mod", "a.example/x", "v1.0.0"), "v1.2.0"),
        (Pin("tool/go.mod", "d.example/z", "v3.0.0"), "v3.1.0"),
    ]


def test_what_nobody_answers_is_named_and_the_rest_is_listed(
    program: Program, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program("skopeo", "echo 'reading: denied' >&2; exit 1")
    monkeypatch.setattr(outdated, "GO_MODULES", ())
    monkeypatch.setattr(outdated, "python_pins", lambda: [Pin("program.in", "pulumi", "3.1"), Pin("test.in", "x", "2")])
    monkeypatch.setattr(outdated, "newer_package", lambda pin: "3.2" if pin.name == "pulumi" else "")
    monkeypatch.setattr(outdated, "image_pins", lambda: [Pin("images.py", "haproxy", f"3.2@{DIGEST}")])

    assert outdated.main() == 1
    shown = capsys.readouterr()
    assert shown.out == "program.in: pulumi 3.1 -> 3.2\n"
    assert shown.err == "outdated: not known: haproxy: reading: denied\n"


def test_a_program_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(Path(sys.prefix) / "none"))

    with pytest.raises(outdated.UnansweredError, match="skopeo is not installed"):
        outdated.newer_image(Pin("images.py", "haproxy", f"3.2@{DIGEST}"))
