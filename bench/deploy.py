"""How long `pulumi up` takes on fresh hosts, against the same services by a shell script and `docker stack deploy`.

    python -m bench.deploy [ROUNDS]

Each round makes new hosts for each of the two, in turn. Both end when every task runs. Prints medians in seconds, the
ratio, and how long a `pulumi up` that changes nothing takes.
"""

import io
import json
import shutil
import statistics
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from components.edge import HEALTHCHECK as EDGE_HEALTHCHECK
from components.edge import haproxy_config, operator_list
from components.ssh import SshTarget
from lab import demo, engine, namespace, stack
from lab.paths import Lab

ROOT = Path(__file__).parent.parent
LAB = Lab(name="bench", checkout=ROOT)
MASTER, WORKER = "192.168.50.2", "192.168.50.3"
IMAGE = "localhost/swarm-transfer/file-transfer:bench"
MIB = 2**20

SCRIPT = f"""set -eu
docker swarm init --advertise-addr {MASTER} --data-path-addr {MASTER} >/dev/null
docker swarm join-token --quiet worker >token
ssh -i key -o StrictHostKeyChecking=no vagrant@{WORKER} docker swarm join \\
  --advertise-addr {WORKER} --token "$(cat token)" {MASTER}:2377 >/dev/null
docker build --quiet --tag {IMAGE} --build-arg PYTHON_IMAGE="$(cat python)" context >/dev/null
docker stack deploy --detach=true --compose-file stack.yml bench >/dev/null 2>&1
while docker stack services bench --format '{{{{.Replicas}}}}' | grep -vqE '^(2/2|3/3)'; do sleep 0.2; done
"""


def service(image: str, user: str, **more: object) -> dict[str, Any]:
    """What all services share, in compose's words; the program's defaults are the model."""
    return {
        "image": image,
        "user": user,
        "init": True,
        "read_only": True,
        "cap_drop": ["ALL"],
        "networks": ["ClusterNet"],
        "logging": {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}},
        **more,
    }


def compose(images: dict[str, str]) -> str:
    """The cluster's services as a stack file."""
    healthy = {"interval": "5s", "timeout": "5s", "retries": 3, "start_period": "20s"}
    return yaml.safe_dump(
        {
            "version": "3.8",
            "services": {
                "files": service(
                    IMAGE, "10001:10001",
                    volumes=["files:/data", {"type": "tmpfs", "target": "/tmp", "tmpfs": {"size": 64 * MIB}}],
                    healthcheck={"test": ["CMD", "python3", "-m", "file_transfer.healthcheck"], **healthy},
                    deploy={
                        "replicas": 3,
                        "endpoint_mode": "dnsrr",
                        "placement": {"constraints": ["node.role==manager"]},
                    },
                ),
                "edge": service(
                    images["haproxy"], "99:99",
                    command=["haproxy", "-W", "-db", "-f", "/run/secrets/operators", "-f", "/etc/haproxy/haproxy.cfg"],
                    configs=[{"source": "edge", "target": "/etc/haproxy/haproxy.cfg"}],
                    secrets=[{"source": "operators", "uid": "99", "mode": 0o400}],
                    ports=[{"target": 5001, "published": 5001, "mode": "host"}],
                    healthcheck={"test": ["CMD", *EDGE_HEALTHCHECK], **healthy},
                    deploy={"mode": "global", "endpoint_mode": "dnsrr"},
                ),
            },
            "networks": {"ClusterNet": {"driver": "overlay", "ipam": {"config": [{"subnet": "10.0.10.0/24"}]}}},
            "volumes": {"files": {}},
            "configs": {"edge": {"file": "haproxy.cfg"}},
            "secrets": {"operators": {"file": "operators.cfg"}},
        }
    )  # fmt: skip


def fresh_hosts() -> Path:
    """New hosts, with nothing on them; returns the folder of the Pulumi CLI."""
    demo.discard_hosts(LAB)
    return demo.prepare(LAB)


def by_pulumi() -> tuple[float, float]:
    """Seconds of the first `up` on fresh hosts, and of a second one."""
    tools = fresh_hosts()
    command = ("up", "--yes", "--skip-preview")
    return timed(lambda: stack.pulumi(LAB, tools, *command)), timed(lambda: stack.pulumi(LAB, tools, *command))


def by_script() -> float:
    """Seconds of the script on fresh hosts."""
    fresh_hosts()
    images = yaml.safe_load(LAB.config_file.read_text())["config"]["swarm-transfer:images"]
    config = haproxy_config(port=5001, backend="bench_files", backend_port=8080, replicas=3, max_file_bytes=64 * 2**30)
    files = {
        "haproxy.cfg": config,
        "operators.cfg": operator_list("a-long-password"),
        "python": images["python"],
        "stack.yml": compose(images),
        "key": (LAB.ssh_dir / "id_ed25519").read_text(),
    }
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add(ROOT / "services" / "file_transfer", "context")
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text.encode()), 0o600
            tar.addfile(entry, io.BytesIO(text.encode()))
    target = SshTarget(
        name="master",
        address=MASTER,
        user="vagrant",
        private_key_file=LAB.ssh_dir / "id_ed25519",
        known_hosts_file=LAB.ssh_dir / "known_hosts",
        host_key="",
    )
    ssh = namespace.command(LAB, ["ssh", *target.options, f"vagrant@{MASTER}"])

    def run() -> None:
        subprocess.run([*ssh, "tar", "x"], input=archive.getvalue(), check=True)
        subprocess.run([*ssh, "sh", "-s"], input=SCRIPT.encode(), check=True)

    return timed(run)


def timed(action: Callable[[], object]) -> float:
    """Seconds that the action takes."""
    started = time.monotonic()
    action()
    return time.monotonic() - started


def main() -> None:
    """Run the rounds and print one line of JSON."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    first, again, script = [], [], []
    with engine.exclusive(LAB):
        for _ in range(rounds):
            up, no_op = by_pulumi()
            first.append(up)
            again.append(no_op)
            script.append(by_script())
        engine.remove(LAB)
        engine.lock_file(LAB).unlink()
    shutil.rmtree(LAB.local_dir)
    medians = {
        name: statistics.median(values) for name, values in (("up", first), ("no_op", again), ("script", script))
    }
    print(
        json.dumps(
            {**{k: round(v, 1) for k, v in medians.items()}, "ratio": round(medians["up"] / medians["script"], 2)}
        )
    )


if __name__ == "__main__":
    main()
