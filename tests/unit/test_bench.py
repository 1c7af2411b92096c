import json
import subprocess

import pytest

from bench import files, peer_programs

OURS = {"upload": 2.0, "download": 1.0, "small_up": 3000.4, "small_down": 15000.6, "peak": 40.2}
NGINX = {"upload": 1.0, "download": 1.5}


def test_the_last_line_says_how_many_times_as_fast_ours_is() -> None:
    line = files.summary({"ours": OURS, "nginx": NGINX, "dufs": {"upload": 7.0}})
    assert line == "upload/dufs=3.50 upload/nginx=0.50 download/nginx=1.50 rss_mib=40 small_up=3000 small_down=15001"


def test_a_server_that_was_not_measured_has_no_ratio() -> None:
    assert files.summary({"ours": OURS, "nginx": NGINX}).startswith("upload/nginx=0.50 ")


def test_the_table_has_a_dash_for_what_was_not_measured() -> None:
    row = files.table({"cp": {"upload": 1.03, "upload_cpu": 0.4}}).splitlines()[-1]
    assert row == "| cp | 1.03 (0.40) | - | - | - | - |"


@pytest.mark.parametrize("refused", [0, 3])
def test_what_the_load_generator_says_last_counts_and_failures_are_told(
    refused: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = {"requests": 10, "seconds": 2.5, "refused": refused, "broken": 0, "sent": 6}
    output = f"Running 3s test\n  10 requests in 2.50s\n{json.dumps(said)}\n"
    monkeypatch.setattr(peer_programs, "wrk", lambda: ["wrk"])
    monkeypatch.setattr(subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 0, output))
    assert files.wrk("http://127.0.0.1:1", "up") == said
    assert bool(capsys.readouterr().err) == bool(refused)


def test_between_two_servers_only_large_files_go(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LARGE", 100)
    (tmp_path / "data" / "pieces").mkdir(parents=True)
    (tmp_path / "data" / "pieces" / "large").write_bytes(b"x" * 100)
    (tmp_path / "data" / "small").write_bytes(b"x" * 99)
    files.discard_large(tmp_path)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["small"]
