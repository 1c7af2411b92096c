"""An image's tag changes with its content, and only with it."""

from pathlib import Path
from shutil import copytree

import pytest

from components.image import context_hash


@pytest.fixture
def context(tmp_path: Path) -> Path:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "module.py").write_text("print()\n")
    (tmp_path / "Dockerfile").write_text("FROM x\n")
    (tmp_path / ".dockerignore").write_text("# Python's caches\n**/__pycache__\n")
    return tmp_path


def test_the_same_content_has_the_same_hash(context: Path) -> None:
    before = context_hash(context, {"A": "1"})
    (context / "package" / "module.py").touch()
    (context / "package" / "__pycache__").mkdir()
    (context / "package" / "__pycache__" / "module.pyc").write_bytes(b"\0")

    assert context_hash(context, {"A": "1"}) == before


def test_the_hash_changes_with_content_name_mode_and_build_arguments(context: Path) -> None:
    module = context / "package" / "module.py"
    hashes = [context_hash(context, {"A": "1"}), context_hash(context, {"A": "2"})]
    module.write_text("print(1)\n")
    hashes.append(context_hash(context, {"A": "1"}))
    module.chmod(0o755)
    hashes.append(context_hash(context, {"A": "1"}))
    module.rename(context / "package" / "other.py")
    hashes.append(context_hash(context, {"A": "1"}))

    assert len(set(hashes)) == len(hashes)


def test_a_change_to_the_client_builds_no_new_image_of_the_file_service(tmp_path: Path) -> None:
    context = copytree(Path(__file__).parents[2] / "services" / "file_transfer", tmp_path / "context")
    before = context_hash(context, {})

    (context / "file_transfer_client" / "api.py").write_text("changed\n")
    assert context_hash(context, {}) == before

    (context / "file_transfer" / "app.py").write_text("changed\n")
    assert context_hash(context, {}) != before
