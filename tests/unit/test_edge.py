"""The edge's HAProxy configuration."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from components.edge import haproxy_config, haproxy_users


def config(**changes: int) -> str:
    settings = {"port": 5001, "backend_port": 8080, "replicas": 3, "max_file_bytes": 2**30, **changes}
    return haproxy_config(backend="files", **settings)


def test_scaling_within_a_step_does_not_change_the_configuration() -> None:
    assert config(replicas=3) == config(replicas=64)


def test_there_is_a_slot_for_every_replica() -> None:
    for replicas in (1, 64, 65, 1000):
        (slots,) = re.findall(r"server-template replica 1-(\d+) ", config(replicas=replicas))
        assert int(slots) >= replicas


def test_haproxy_accepts_the_configuration(tmp_path: Path, program: Callable[[str], str]) -> None:
    (tmp_path / "operators.cfg").write_text(haproxy_users('a"strange\\#but-long-$password'))
    (tmp_path / "haproxy.cfg").write_text(config())
    command = [program("haproxy"), "-c", "-f", str(tmp_path / "operators.cfg"), "-f", str(tmp_path / "haproxy.cfg")]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
