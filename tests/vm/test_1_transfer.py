"""Files sent through one machine can be fetched through the other, with the two commands that users know."""

import hashlib
import subprocess
from pathlib import Path

import pytest
from cluster import Cluster

MIB = 2**20


def curl(*arguments: str) -> None:
    subprocess.run(["curl", "-sS", "-f", "-X", "POST", *arguments], check=True)


@pytest.mark.parametrize(("through", "back"), [("master", "slave"), ("slave", "master")])
def test_a_file_sent_to_one_machine_comes_back_from_the_other(
    cluster: Cluster, tmp_path: Path, through: str, back: str
) -> None:
    sent, received = tmp_path / f"through {through}.bin", tmp_path / "received"
    with sent.open("wb") as file, Path("/dev/urandom").open("rb") as noise:
        file.write(noise.read(20 * MIB))

    curl("-F", f"file=@{sent}", f"{cluster.url(through)}/upload")
    curl("-F", f"name={sent.name}", f"{cluster.url(back)}/download", "-o", str(received))

    assert hashlib.sha256(received.read_bytes()).digest() == hashlib.sha256(sent.read_bytes()).digest()
