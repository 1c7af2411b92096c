"""The file service on the cluster against SeaweedFS's own filer, behind the same edge, on the same storage.

    python -m bench.cluster [ROUNDS]

Deploys the cluster on hosts of its own and a filer as it comes beside it. Then 1 GiB goes in and out by curl, through
the edge of the host that has no filer, in turns; last, eight files of 1 GiB go into ours at once. Prints a line of
JSON a round, the peak memory of the object store's programs in MiB by host, and last the ratios of medians, and the
memory on the manager.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench import own_hosts
from bench.files import SIZE, random_file
from bench.own_hosts import ADDRESSES
from components import seaweedfs
from components.edge import haproxy_config
from lab.paths import cache_dir

PARALLEL = 8
COPIES = 2
FILER, EDGE = "bench-filer", "bench-edge"
FILER_PORT, EDGE_PORT = 8888, 5999
STORE = (seaweedfs.GATEWAY, seaweedfs.VOLUME_SERVER, seaweedfs.master_name("master"))

_URLS = {"ours": f"http://{ADDRESSES['slave']}:5001/files/", "filer": f"http://{ADDRESSES['slave']}:{EDGE_PORT}/bench/"}


def add_filer() -> None:
    """A filer on the manager without limits, and an edge of its own that differs from ours in ports and health path."""
    config = haproxy_config(
        port=EDGE_PORT, backend=FILER, backend_port=FILER_PORT, replicas=1, max_file_bytes=2 * SIZE
    ).replace("GET /readyz", "GET /healthz")
    filer = [
        *("weed", "-logtostderr=true", "filer", "-ip.bind=0.0.0.0", f"-port={FILER_PORT}"),
        *(f"-master={seaweedfs.master_name('master')}:9333", "-defaultStoreDir=/data"),
        f"-defaultReplicaPlacement={seaweedfs.replication(COPIES)}",
        # Or the two would share locks over a network that only one of them has.
        "-filerGroup=bench",
    ]
    own_hosts.ask(
        "master",
        f"""set -eu
image() {{ docker service inspect "$1" --format '{{{{.Spec.TaskTemplate.ContainerSpec.Image}}}}'; }}
operators=$(docker secret ls --format '{{{{.Name}}}}' | grep ^edge-operators)
docker config create {EDGE} - >/dev/null <<'END'
{config}
END
docker service create --quiet --detach=false --name {FILER} --network StorageNet --network ClusterNet \\
  --constraint node.role==manager --mount type=volume,source={FILER},target=/data --user 0 \\
  --no-healthcheck --entrypoint sh "$(image {seaweedfs.GATEWAY})" \\
  -c 'exec {" ".join(filer)} -ip="$(hostname -i | cut -d " " -f 1)"' >/dev/null
docker service create --quiet --detach=false --name {EDGE} --network ClusterNet --mode global \\
  --publish mode=host,published={EDGE_PORT},target={EDGE_PORT} --config source={EDGE},target=/haproxy.cfg \\
  --secret source="$operators",target=operators.cfg,uid=99 --user 99:99 --entrypoint haproxy \\
  "$(image edge)" -W -db -f /run/secrets/operators.cfg -f /haproxy.cfg >/dev/null
""",
        seconds=180,
    )
    url, deadline = f"http://{ADDRESSES['slave']}:{EDGE_PORT}/healthz", time.monotonic() + 60
    while subprocess.run([*_curl(), "-o", "/dev/null", url], stderr=subprocess.DEVNULL, check=False).returncode:
        if time.monotonic() > deadline:
            sys.exit(f"{url} does not answer")
        time.sleep(0.5)


def timed(*commands: list[str]) -> float:
    """Seconds that all of these commands take, begun at once."""
    started = time.perf_counter()
    processes = [subprocess.Popen(command) for command in commands]
    statuses = [process.wait() for process in processes]
    if any(statuses):
        sys.exit("a transfer has failed")
    return time.perf_counter() - started


def upload(name: str, file: Path, number: int = 0) -> list[str]:
    """The command that sends the file."""
    return [*_curl(), "-o", "/dev/null", "-H", "Expect:", "-T", str(file), f"{_URLS[name]}large-{number}"]


def download(name: str) -> list[str]:
    """The command that fetches it again."""
    return [*_curl(), "-o", "/dev/null", f"{_URLS[name]}large-0"]


def delete(name: str, number: int = 0) -> None:
    """Take the file away; its room is free some time later."""
    subprocess.run([*_curl(), "-X", "DELETE", f"{_URLS[name]}large-{number}"], check=True)


def peak_mib(service: str) -> dict[str, float]:
    """The most resident memory that a service's process has had, in MiB, by host."""
    found = {}
    for host in ADDRESSES:
        container = f"$(docker ps -q --filter label=com.docker.swarm.service.name={service})"
        # All of them: the first one is Docker's init.
        told = own_hosts.ask(
            host, f"c={container}; [ -z $c ] || docker exec $c sh -c 'grep -h VmHWM /proc/[0-9]*/status'"
        )
        if told:
            found[host] = max(int(line.split()[1]) for line in told.splitlines()) / 1024
    return found


def store_tasks() -> list[str]:
    """The object store's tasks that are to run: one that died, for want of memory say, has been replaced."""
    return sorted(
        own_hosts.ask("master", f"docker service ps --filter desired-state=running -q {' '.join(STORE)}").split()
    )


def measure(rounds: int) -> None:
    """Runs where the hosts can be reached."""
    add_filer()
    found: dict[str, list[float]] = {f"{name}_{way}": [] for name in _URLS for way in ("upload", "download")}
    with tempfile.TemporaryDirectory(dir=cache_dir(), prefix="bench-cluster-") as folder:
        file = random_file(Path(folder))
        for number in range(rounds):
            for name in sorted(_URLS, reverse=bool(number % 2)):
                os.sync()  # what was written before is not to be paid for now
                found[f"{name}_upload"].append(timed(upload(name, file)))
                found[f"{name}_download"].append(timed(download(name)))
                delete(name)
            print(json.dumps({key: round(values[-1], 2) for key, values in found.items()}), flush=True)
        filer_alone = peak_mib(FILER)["master"]
        os.sync()
        before = store_tasks()
        # Not into the filer: it takes in more than the volume servers' limits are made for.
        seconds = timed(*(upload("ours", file, number) for number in range(PARALLEL)))
        print(f"{PARALLEL} x 1 GiB at once: {seconds:.1f} s", flush=True)
        if store_tasks() != before:
            sys.exit("a program of the object store did not survive that: its limits are too narrow")
        for number in range(PARALLEL):
            delete("ours", number)
    peaks = {service: peak_mib(service) for service in STORE}
    print(json.dumps({service: {host: round(mib) for host, mib in found.items()} for service, found in peaks.items()}))
    store = sum(found.get("master", 0) for found in peaks.values())
    medians = {key: statistics.median(values) for key, values in found.items()}
    print(
        f"upload/filer={medians['filer_upload'] / medians['ours_upload']:.2f} "
        f"download/filer={medians['filer_download'] / medians['ours_download']:.2f} "
        f"store_mib={store:.0f} filer_alone_mib={filer_alone:.0f}"
    )


def _curl() -> list[str]:
    return ["curl", "-fsS", "--noproxy", "*"]


def main() -> None:
    """Deploy, measure, take away."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    if own_hosts.is_reachable():
        measure(rounds)
        return
    with own_hosts.own_hosts():
        own_hosts.deployed()
        own_hosts.run_there("bench.cluster", str(rounds))


if __name__ == "__main__":
    main()
