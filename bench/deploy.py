"""Compares deploying with Pulumi on fresh hosts with deploying the same services by a script and `docker stack deploy`.

    python -m bench.deploy [ROUNDS]

Each round creates new hosts for each of the two in turn. Prints which plugins were used, a table of medians in seconds,
and the same figures as one line of JSON.
"""

import io
import json
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from bench.own_hosts import ADDRESSES, LAB, fresh_hosts, own_hosts
from bench.stack_file import preparations, stack_file
from components.commands import HOST_LABEL
from components.ssh import SshTarget
from lab import lifecycle, stack

MASTER, WORKER = ADDRESSES.values()
IMAGE = "localhost/swarm-transfer/file-transfer:bench"
REPEATS = 3
"""How often a round repeats each command that changes nothing."""

TARGET_NO_OP = 5.0
TARGET_RATIO = 1.25
_SCRIPT_LIMIT = 900
"""Seconds after which the script counts as failed."""

_ROWS = {
    "up": "`pulumi up` on fresh hosts",
    "no_op": "`pulumi up` that changes nothing",
    "preview": "`pulumi preview` that finds no change",
    "destroy": "`pulumi destroy`",
    "script": "the same services by script and `docker stack deploy`",
}
_TARGETS = {"no_op": TARGET_NO_OP, "preview": TARGET_NO_OP}

SCRIPT = f"""set -eu
on_worker() {{ ssh -i key -o StrictHostKeyChecking=no vagrant@{WORKER} "$@"; }}
build='docker build --quiet --tag {IMAGE} --build-arg PYTHON_IMAGE="$(cat python)" context >/dev/null'
docker swarm init --advertise-addr {MASTER} --data-path-addr {MASTER} >/dev/null
docker swarm join-token --quiet worker >token
on_worker docker swarm join --advertise-addr {WORKER} --token "$(cat token)" {MASTER}:2377 >/dev/null
for node in master slave; do docker node update --label-add {HOST_LABEL}=$node $node >/dev/null; done
tar cf - context python prepare-slave.sh | on_worker tar xf -
on_worker "$build && sh prepare-slave.sh" &
worker=$!
eval "$build"
sh prepare-master.sh
wait "$worker"
docker stack deploy --detach=true --compose-file stack.yml bench >log 2>&1 || {{ cat log >&2; exit 1; }}
while docker stack services bench --format '{{{{.Replicas}}}}' | grep -vqE '^(1/1|2/2|3/3)'; do sleep 0.2; done
"""


def by_pulumi() -> tuple[dict[str, list[float]], list[dict[str, Any]]]:
    """Run Pulumi's commands on fresh hosts. Return the seconds of each by its name, and the deployed resources."""
    tools = fresh_hosts()

    def seconds(*command: str) -> float:
        return timed(lambda: stack.pulumi(LAB, tools, *command))

    up = ("up", "--yes", "--skip-preview")
    found = {
        "up": [seconds(*up)],
        "no_op": [seconds(*up, "--expect-no-changes") for _ in range(REPEATS)],
        "preview": [seconds("preview", "--expect-no-changes") for _ in range(REPEATS)],
    }
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "state.json"
        stack.pulumi(LAB, tools, "stack", "export", "--show-secrets", "--file", str(state))
        resources = json.loads(state.read_text())["deployment"]["resources"]
    found["destroy"] = [seconds("destroy", "--yes", "--skip-preview")]
    return found, resources


def by_script(resources: list[dict[str, Any]]) -> float:
    """Deploy the services among these resources by the script on fresh hosts, and return the seconds it takes."""
    fresh_hosts()
    images = yaml.safe_load(LAB.config_file.read_text())["config"]["swarm-transfer:images"]
    text, files = stack_file(resources, IMAGE)
    # `docker stack` puts the stack's name before a service's name, also in DNS.
    files = {name: content.replace("tasks.files", "tasks.bench_files") for name, content in files.items()} | {
        "python": images["python"],
        **{f"prepare-{host}.sh": script for host, script in preparations(resources, list(ADDRESSES)).items()},
        "stack.yml": text,
        "deploy.sh": SCRIPT,
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
    ssh = lifecycle.of(LAB).command(["ssh", *target.options, f"vagrant@{MASTER}"])

    def run() -> None:
        subprocess.run([*ssh, "tar", "x"], input=archive.getvalue(), check=True)
        # The script is a file because on standard input, the ssh in it would consume the rest of the script.
        subprocess.run([*ssh, "sh", "deploy.sh"], stdin=subprocess.DEVNULL, check=True, timeout=_SCRIPT_LIMIT)

    return timed(run)


def timed(action: Callable[[], object]) -> float:
    """Return the seconds that the action takes."""
    started = time.monotonic()
    action()
    return time.monotonic() - started


def plugins() -> str:
    """Return the names and versions of the lab's plugins, and whether each is real or a stand-in."""
    return ", ".join(lifecycle.of(LAB).plugins())


def medians(found: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return the median of each measurement, and as `ratio` the time of `pulumi up` divided by the script's."""
    median_of = {name: statistics.median(values) for name, values in found.items()}
    ratio = round(median_of["up"] / median_of["script"], 2)
    return {**{name: round(seconds, 1) for name, seconds in median_of.items()}, "ratio": ratio}


def table(found: Mapping[str, Sequence[float]]) -> str:
    """Return the medians as a Markdown table, with the targets and every single figure."""
    median_of = medians(found)
    rows = [
        f"| {what} | {median_of[name]:.1f} | {_TARGETS.get(name, '-')} | {', '.join(f'{s:.1f}' for s in found[name])} |"
        for name, what in _ROWS.items()
    ]
    last = f"| ratio of the first to the last | {median_of['ratio']:.2f} | {TARGET_RATIO} | - |"
    return "\n".join(["| What | median | target, at most | each |", "|---|---|---|---|", *rows, last])


def main() -> None:
    """Run the rounds and print their times."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    found: dict[str, list[float]] = {name: [] for name in _ROWS}
    with own_hosts():
        for _ in range(rounds):
            by_command, resources = by_pulumi()
            for name, seconds in {**by_command, "script": [by_script(resources)]}.items():
                found[name] += seconds
        used = plugins()
    print(f"\nPlugins: {used}. Rounds: {rounds}.\n\n{table(found)}\n")
    print(json.dumps({**medians(found), "rounds": rounds, "plugins": used}))


if __name__ == "__main__":
    main()
