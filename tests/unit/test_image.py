"""An image's tag changes with its content, and only with it."""

from pathlib import Path

import pytest
from docker.utils.build import exclude_paths

from components.image import context_hash

ROOT = Path(__file__).parents[2]


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


def test_the_images_of_the_file_service_and_the_backups_have_their_programs_and_nothing_else() -> None:
    context = ROOT / "services" / "file_transfer"
    ignored = (context / ".dockerignore").read_text().splitlines()
    files = {path for path in exclude_paths(str(context), ignored) if (context / path).is_file()}

    others = {path for path in files if not path.startswith(("file_transfer/", "backup/"))}

    assert {"file_transfer/app.py", "backup/__main__.py"} <= files
    files_stage, backup_stage = (context / "Dockerfile").read_text().split("AS backup\n")
    assert "COPY backup" not in files_stage
    assert "COPY backup ./backup\n" in backup_stage
    assert others == {".dockerignore", "Dockerfile", "requirements.txt"}
