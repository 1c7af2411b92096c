"""How long `pulumi up` takes on fresh hosts, against the same services by a shell script and `docker stack deploy`.

    python -m bench.deploy [ROUNDS]

Each round makes new hosts for each of the two, in turn. Both end when every task runs. Prints medians in seconds, the
ratio, and how long a `pulumi up` that changes nothing takes.
"""

import io
import json
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from bench.own_hosts import ADDRESSES, LAB, fresh_hosts, own_hosts
from bench.stack_file import preparations, stack_file
from components.commands import HOST_LABEL
from components.ssh import SshTarget
from lab import namespace, stack

MASTER, WORKER = ADDRESSES.values()
IMAGE = "localhost/swarm-transfer/file-transfer:bench"

SCRIPT = f"""set -eu
docker swarm init --advertise-addr {MASTER} --data-path-addr {MASTER} >/dev/null
docker swarm join-token --quiet worker >token
ssh -i key -o StrictHostKeyChecking=no vagrant@{WORKER} docker swarm join \\
  --advertise-addr {WORKER} --token "$(cat token)" {MASTER}:2377 >/dev/null
for node in master slave; do docker node update --label-add {HOST_LABEL}=$node $node >/dev/null; done
docker build --quiet --tag {IMAGE} --build-arg PYTHON_IMAGE="$(cat python)" context >/dev/null
sh prepare.sh
docker stack deploy --detach=true --compose-file stack.yml bench >/dev/null 2>&1
while docker stack services bench --format '{{{{.Replicas}}}}' | grep -vqE '^(1/1|2/2|3/3)'; do sleep 0.2; done
"""


def by_pulumi() -> tuple[float, float, list[dict[str, Any]]]:
    """Seconds of the first `up` on fresh hosts, and of a second one; and the resources that there are then."""
    tools = fresh_hosts()
    command = ("up", "--yes", "--skip-preview")
    first = timed(lambda: stack.pulumi(LAB, tools, *command))
    again = timed(lambda: stack.pulumi(LAB, tools, *command))
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "state.json"
        stack.pulumi(LAB, tools, "stack", "export", "--show-secrets", "--file", str(state))
        return first, again, json.loads(state.read_text())["deployment"]["resources"]


def by_script(resources: list[dict[str, Any]]) -> float:
    """Seconds of the script on fresh hosts, for the services of a deployment by Pulumi."""
    fresh_hosts()
    images = yaml.safe_load(LAB.config_file.read_text())["config"]["swarm-transfer:images"]
    text, files = stack_file(resources, IMAGE)
    # Within a stack, a service's tasks are found by the stack's name before its own.
    files = {name: content.replace("tasks.files", "tasks.bench_files") for name, content in files.items()} | {
        "python": images["python"],
        "prepare.sh": preparations(resources),
        "stack.yml": text,
        "key": (LAB.ssh_dir / "id_ed25519").read_text(),
    }
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add(LAB.checkout / "services" / "file_transfer", "context")
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
    with own_hosts():
        for _ in range(rounds):
            up, no_op, resources = by_pulumi()
            first.append(up)
            again.append(no_op)
            script.append(by_script(resources))
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
