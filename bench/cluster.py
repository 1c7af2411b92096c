"""Compares the file service on the cluster with SeaweedFS's own filer, on the same hosts and behind a similar edge.

    python -m bench.cluster [ROUNDS]

Deploys the cluster on its own hosts, with an additional filer in its default configuration. The filer has a master and
volume servers of its own, since the cluster's answer only the cluster's programs. In each round, curl uploads
and downloads 1 GiB with each of the two, through the edge of the host without the filer, and wrk does the same with
files of 16 KiB over 64 connections. After the rounds, eight files of 1 GiB are uploaded to the file service at once.
Prints one line of JSON per round (seconds, and requests a second), the peak memory of the programs of index and store
in MiB by host, and last the ratios of the medians and the memory on the manager.
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
from bench.files import CONNECTIONS, SIZE, random_file, wrk
from bench.own_hosts import ADDRESSES
from components import seaweedfs
from components.edge_config import Limits, haproxy_config
from lab.paths import cache_dir

PARALLEL = 8
COPIES = 2
FILER, EDGE = "bench-filer", "bench-edge"
MASTER, VOLUME_SERVER = "bench-master", "bench-volume"
FILER_PORT, EDGE_PORT = 8888, 5999
STORE = (
    seaweedfs.VOLUME_SERVER,
    seaweedfs.master_name("master"),
    "etcd-master",
    "postgres-master",
    "postgres-slave",
)

_SERVERS = {
    "ours": (f"http://{ADDRESSES['slave']}:5001", "/files/"),
    "filer": (f"http://{ADDRESSES['slave']}:{EDGE_PORT}", "/bench/"),
}
_URLS = {name: server + path for name, (server, path) in _SERVERS.items()}
_COLUMNS = ("upload", "download", "small_up", "small_down")


def add_filer() -> None:
    """Deploy a filer without limits on the manager, and an edge for it that differs in ports and health path only."""
    config = haproxy_config(
        port=EDGE_PORT,
        backend=FILER,
        backend_port=FILER_PORT,
        status_port=FILER_PORT,
        replicas=1,
        max_file_bytes=2 * SIZE,
        limits=Limits(requests=10**6),  # the filer may serve small files much faster than our service
    ).replace("GET /readyz", "GET /healthz")
    filer = [
        *("weed", "-logtostderr=true", "filer", "-ip.bind=0.0.0.0", f"-port={FILER_PORT}"),
        *(f"-master={MASTER}:9333", "-defaultStoreDir=/data"),
        f"-defaultReplicaPlacement={seaweedfs.replication(COPIES)}",
    ]
    master = f"weed -logtostderr=true master -ip={MASTER} -ip.bind=0.0.0.0 -mdir=/data -peers=none -telemetry=false"
    volume_server = f"weed -logtostderr=true volume -ip.bind=0.0.0.0 -dir=/data -max=0 -master={MASTER}:9333"
    address = '-ip="$(hostname -i | cut -d " " -f 1)"'
    own_hosts.ask(
        "master",
        f"""set -eu
image() {{ docker service inspect "$1" --format '{{{{.Spec.TaskTemplate.ContainerSpec.Image}}}}'; }}
operators=$(docker secret ls --format '{{{{.Name}}}}' | grep ^edge-operators)
docker config create {EDGE} - >/dev/null <<'END'
{config}
END
store() {{
  name=$1 program=$2
  shift 2
  docker service create --quiet --detach=false --name "$name" --network ClusterNet --endpoint-mode dnsrr "$@" \\
    --mount "type=volume,source=$name,target=/data" --user 0 --no-healthcheck \\
    --entrypoint sh "$(image {seaweedfs.VOLUME_SERVER})" -c "exec $program" >/dev/null
}}
store {MASTER} '{master}' --constraint node.role==manager
store {VOLUME_SERVER} '{volume_server} {address}' --mode global
store {FILER} '{" ".join(filer)} {address}' --constraint node.role==manager
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
    """Run the commands at the same time, and return the seconds until all have ended."""
    started = time.perf_counter()
    processes = [subprocess.Popen(command) for command in commands]
    statuses = [process.wait() for process in processes]
    if any(statuses):
        sys.exit("a transfer failed: see curl's error above")
    return time.perf_counter() - started


def upload(name: str, file: Path, number: int = 0) -> list[str]:
    """Return the command that uploads the file."""
    return [*_curl(), "-o", "/dev/null", "-H", "Expect:", "-T", str(file), f"{_URLS[name]}large-{number}"]


def download(name: str) -> list[str]:
    """Return the command that downloads the file."""
    return [*_curl(), "-o", "/dev/null", f"{_URLS[name]}large-0"]


def small(name: str) -> dict[str, float]:
    """Upload and download small files, and return how many a second."""
    server, path = _SERVERS[name]
    up = wrk(server, "up", path, "0")
    down = wrk(server, "down", path, str(min(1000, int(up["sent"]) - CONNECTIONS)))
    return {"small_up": up["requests"] / up["seconds"], "small_down": down["requests"] / down["seconds"]}


def delete(name: str, number: int = 0) -> None:
    """Delete the file. SeaweedFS frees its space some time later."""
    subprocess.run([*_curl(), "-X", "DELETE", f"{_URLS[name]}large-{number}"], check=True)


def peak_mib(service: str) -> dict[str, float]:
    """Return the peak resident memory of the service's largest process in MiB, by host."""
    found = {}
    for host in ADDRESSES:
        container = f"$(docker ps -q --filter label=com.docker.swarm.service.name={service})"
        # The script reads every process, because the container's first one is Docker's init.
        peaks = own_hosts.ask(
            host, f"c={container}; [ -z $c ] || docker exec $c sh -c 'grep -h VmHWM /proc/[0-9]*/status'"
        )
        if peaks:
            found[host] = max(int(line.split()[1]) for line in peaks.splitlines()) / 1024
    return found


def store_tasks() -> list[str]:
    """Return the ids of the object store's running tasks. A task that died, of its memory limit say, has a new id."""
    return sorted(
        own_hosts.ask("master", f"docker service ps --filter desired-state=running -q {' '.join(STORE)}").split()
    )


def measure(rounds: int) -> None:
    """Run all rounds and print the figures. This must run in the lab's network, where the hosts can be reached."""
    add_filer()
    found: dict[str, list[float]] = {f"{name}_{column}": [] for name in _URLS for column in _COLUMNS}
    with tempfile.TemporaryDirectory(dir=cache_dir(), prefix="bench-cluster-") as folder:
        file = random_file(Path(folder))
        for number in range(rounds):
            for name in sorted(_URLS, reverse=bool(number % 2)):
                os.sync()  # earlier writes must not slow down this measurement
                found[f"{name}_upload"].append(timed(upload(name, file)))
                found[f"{name}_download"].append(timed(download(name)))
                delete(name)
                os.sync()
                for column, requests in small(name).items():
                    found[f"{name}_{column}"].append(requests)
            print(json.dumps({key: round(values[-1], 2) for key, values in found.items()}), flush=True)
        filer_alone = peak_mib(FILER)["master"]
        os.sync()
        before = store_tasks()
        # The filer is left out: it accepts more at once than the volume servers' memory limits allow for.
        seconds = timed(*(upload("ours", file, number) for number in range(PARALLEL)))
        print(f"{PARALLEL} x 1 GiB at once: {seconds:.1f} s", flush=True)
        if store_tasks() != before:
            sys.exit("a program of the object store died during the parallel uploads: raise its memory limit")
        for number in range(PARALLEL):
            delete("ours", number)
    peaks = {service: peak_mib(service) for service in STORE}
    print(json.dumps({service: {host: round(mib) for host, mib in found.items()} for service, found in peaks.items()}))
    store = sum(found.get("master", 0) for found in peaks.values())
    medians = {key: statistics.median(values) for key, values in found.items()}
    print(
        f"upload/filer={medians['filer_upload'] / medians['ours_upload']:.2f} "
        f"download/filer={medians['filer_download'] / medians['ours_download']:.2f} "
        f"small_up/filer={medians['ours_small_up'] / medians['filer_small_up']:.2f} "
        f"small_down/filer={medians['ours_small_down'] / medians['filer_small_down']:.2f} "
        f"store_mib={store:.0f} filer_alone_mib={filer_alone:.0f}"
    )


def _curl() -> list[str]:
    return ["curl", "-fsS", "--noproxy", "*"]


def main() -> None:
    """Deploy the cluster, measure it, and remove the hosts."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    if own_hosts.is_reachable():
        measure(rounds)
        return
    with own_hosts.own_hosts():
        own_hosts.deployed()
        own_hosts.run_there("bench.cluster", str(rounds))


if __name__ == "__main__":
    main()
