import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench import deploy, files, growth, peer_programs, stack_file
from lab.paths import Lab
from lab.plugins import choice

OURS = {"upload": 2.0, "download": 1.0, "small_up": 3000.4, "small_down": 15000.6, "peak": 40.2}
NGINX = {"upload": 1.0, "download": 1.5}
TIMES = {"up": [30.0, 40.0, 50.0], "no_op": [4.0], "preview": [3.0], "destroy": [20.0], "script": [32.0]}
REAL_STATE = Path(__file__).parent / "real_provider_state.json"
"""State that the real docker provider wrote: two services and the resources that they use, with made-up contents."""


def test_the_last_line_has_the_speed_relative_to_other_servers() -> None:
    line = files.summary({"ours": OURS, "nginx": NGINX, "dufs": {"upload": 7.0}})
    assert line == "upload/dufs=3.50 upload/nginx=0.50 download/nginx=1.50 rss_mib=40 small_up=3000 small_down=15001"


def test_a_server_that_was_not_measured_has_no_ratio() -> None:
    assert files.summary({"ours": OURS, "nginx": NGINX}).startswith("upload/nginx=0.50 ")


def test_the_table_has_a_dash_for_a_missing_figure() -> None:
    row = files.table({"cp": {"upload": 1.03, "upload_cpu": 0.4}}).splitlines()[-1]
    assert row == "| cp | 1.03 (0.40) | - | - | - | - |"


@pytest.mark.parametrize("refused", [0, 3])
def test_the_load_generators_last_line_is_parsed_and_failed_requests_are_reported(
    refused: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = {"requests": 10, "seconds": 2.5, "refused": refused, "broken": 0, "sent": 6}
    output = f"Running 3s test\n  10 requests in 2.50s\n{json.dumps(said)}\n"
    monkeypatch.setattr(peer_programs, "wrk", lambda: ["wrk"])
    monkeypatch.setattr(subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 0, output))
    assert files.wrk("http://127.0.0.1:1", "up") == said
    assert bool(capsys.readouterr().err) == bool(refused)


def test_only_large_files_are_deleted_between_two_servers(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
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


@pytest.mark.parametrize(
    ("wall", "verdict"), [(1.5, "wall 50: met, CPU 25: met"), (1.6, "wall 60: missed, CPU 30: met")]
)
def test_the_steepest_step_decides_whether_growth_meets_the_target(wall: float, verdict: str) -> None:
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


@pytest.fixture
def real_state() -> list[dict[str, Any]]:
    return json.loads(REAL_STATE.read_text())


def test_a_stack_file_has_the_inputs_and_not_the_real_providers_defaults(real_state) -> None:
    text, contents = stack_file.stack_file(real_state, "ours")
    document = yaml.safe_load(text)
    edge = document["services"]["edge"]
    assert set(document["services"]) == {"edge", "object-store-volume"}
    assert edge["deploy"]["mode"] == "global"
    assert edge["ports"] == [{"target": 5001, "published": 5001, "mode": "host"}]
    assert edge["environment"] == {}
    assert edge["networks"] == ["ClusterNet"]
    assert edge["entrypoint"][0] == "haproxy"
    for kind in ("configs", "secrets"):
        (used,) = edge[kind]
        assert contents[document[kind][used["source"]]["file"]].startswith("text of edge-")


def test_a_volume_created_by_a_command_is_in_the_stack_file(real_state) -> None:
    document = yaml.safe_load(stack_file.stack_file(real_state, "ours")[0])
    assert document["volumes"] == {"object-store-volume": {"external": True}}


def test_dollar_signs_are_escaped_in_the_stack_file(real_state) -> None:
    document = yaml.safe_load(stack_file.stack_file(real_state, "ours")[0])
    program = document["services"]["object-store-volume"]["entrypoint"][-1]
    assert '-id="$$NODE_ID"' in program
    assert '-ip="$$(hostname' in program


def test_the_image_that_pulumi_built_is_replaced_by_the_given_one(real_state) -> None:
    (edge,) = [found for found in real_state if found["urn"].endswith("Service::edge")]
    edge["inputs"]["taskSpec"]["containerSpec"]["image"] = "localhost/swarm-transfer/file-transfer:1"
    assert yaml.safe_load(stack_file.stack_file(real_state, "ours")[0])["services"]["edge"]["image"] == "ours"


def command(typ: str, name: str, **inputs: str) -> dict[str, Any]:
    return {"type": typ, "urn": f"urn:pulumi:lab::swarm-transfer::{typ}::{name}", "id": name, "inputs": inputs}


@pytest.mark.parametrize("typ", ["command:remote:Command", "command:local:Command"])
def test_volumes_are_created_and_filled_on_their_hosts_by_any_type_of_command(typ: str, tmp_path, real_state) -> None:
    resources = [
        *real_state,
        command(typ, "prometheus-config-owner", create="echo owner # --volume prometheus-config:/volume\n"),
        command(typ, "prometheus-files", create="cat # --volume prometheus-config:/etc", stdin="first $line\nlast\n"),
        command(typ, "object-store-data-slave", create="echo slave # --volume object-store-volume:/volume"),
        command(typ, "slave-node", create="echo node"),
        command(typ, "files-image-slave-removal", update="echo removal"),
    ]
    scripts = stack_file.preparations(resources, ["master", "slave"])
    printed = {
        host: subprocess.run(
            ["sh", "-c", f'docker() {{ echo docker "$@" >&2; }}\n{script}'],
            cwd=tmp_path, capture_output=True, text=True, check=True,
        )
        for host, script in scripts.items()
    }  # fmt: skip
    assert printed["master"].stderr == "docker volume create prometheus-config\n"
    assert printed["master"].stdout == "owner\nfirst $line\nlast\n"
    assert printed["slave"].stderr == ""
    assert printed["slave"].stdout == "slave\n"


def test_a_secret_input_loses_its_secret_mark() -> None:
    secret = {stack_file._SECRET_MARK: "1b47061264138c4ac30d75fd1eb44270", "plaintext": json.dumps("echo open")}
    owner = command("command:local:Command", "x-owner", create="sh # --volume x:/volume")
    owner["inputs"]["stdin"] = secret
    assert "echo open" in stack_file.preparations([owner], ["master"])["master"]


def test_the_deployment_table_has_medians_targets_and_every_figure() -> None:
    rows = deploy.table(TIMES).splitlines()
    assert "| `pulumi up` on fresh hosts | 40.0 | - | 30.0, 40.0, 50.0 |" in rows
    assert "| `pulumi preview` that finds no change | 3.0 | 5.0 | 3.0 |" in rows
    assert rows[-1] == "| ratio of the first to the last | 1.25 | 1.25 | - |"


def test_the_plugins_are_listed_as_real_or_stand_in(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setattr(deploy, "LAB", Lab(name="bench", checkout=tmp_path))
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert deploy.plugins() == ", ".join(f"{name} {version}: stand-in" for name, version in choice.VERSIONS.items())
