import json
import subprocess

import pytest

from bench import files, growth, peer_programs

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


def measured(hosts: int, *, wall: float) -> growth.Measured:
    return growth.Measured(
        hosts=hosts,
        resources=hosts * 8,
        dependencies=hosts * 10,
        wall_seconds=wall,
        cpu_seconds=wall / 2,
        programs_cpu_seconds=0.1,
        peak_bytes=90 * 2**20,
    )


def test_what_a_host_adds_is_the_difference_between_two_sizes() -> None:
    assert growth.slopes([measured(10, wall=1.0), measured(60, wall=3.0)]) == [growth.Slope(wall_ms=40.0, cpu_ms=20.0)]


@pytest.mark.parametrize(("wall", "verdict"), [(1.5, "50 at most: met"), (1.6, "60 at most: missed")])
def test_the_steepest_step_decides_whether_growth_is_as_wanted(wall: float, verdict: str) -> None:
    runs = [measured(10, wall=1.0), measured(20, wall=wall), measured(220, wall=2.0)]
    assert growth.table(runs).endswith(verdict)


def test_the_median_run_has_the_median_of_each_figure() -> None:
    assert growth.median([measured(2, wall=wall) for wall in (3.0, 9.0, 5.0)]) == measured(2, wall=5.0)


def test_without_promtool_the_notes_say_how_to_get_it() -> None:
    assert "Debian package prometheus" in growth.notes(promtool=False)
    assert "not on this machine" not in growth.notes(promtool=True)


def test_the_whole_program_runs_for_made_up_hosts() -> None:
    run = growth.measure(2)
    assert run.resources > 100
    assert run.dependencies > run.hosts
    assert run.cpu_seconds > run.programs_cpu_seconds > 0
