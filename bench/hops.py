"""Measures where the CPU time of a transfer through the cluster goes, hop by hop.

    python -m bench.hops [ROUNDS]

Deploys the cluster on its own hosts. In each round, curl uploads and downloads 1 GiB through the edge of a worker, and
wrk does the same with files of 16 KiB over 64 connections. Prints a table of medians: the CPU time of each service on
both hosts together, of the client, and of all else: the engines, the exporters, and what the kernel does for nobody in
particular, such as the network between the hosts. It is in seconds for 1 GiB, and in milliseconds a request for 16 KiB.
The last row is the time that passed.
"""

import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from bench import cluster, own_hosts
from bench.files import CONNECTIONS, random_file, wrk
from lab.paths import cache_dir

_CLIENT, _ALL_ELSE, _ELAPSED = "the client", "all else", "elapsed"
_HOPS = {
    "edge": "the edges",
    "files": "the replicas",
    "object-store-volume": "the volume servers",
    "object-store-master-master": "the object store's master",
    "postgres-master": "PostgreSQL",
    "postgres-slave": "PostgreSQL",
    "etcd-master": "etcd",
}
_USED = """
docker inspect --format '{{.Id}} {{index .Config.Labels "com.docker.swarm.service.name"}}' $(docker ps -q) |
while read -r id service; do
  echo "$service" $(find /sys/fs/cgroup -path "*$id/cpu.stat" -exec grep -h usage_usec {} +)
done
"""


def of_services() -> dict[str, float]:
    """Return the CPU seconds that each hop's containers have used so far."""
    found: dict[str, float] = dict.fromkeys(_HOPS.values(), 0.0)
    for host in own_hosts.ADDRESSES:
        for line in own_hosts.ask(host, _USED).splitlines():
            service, *used = line.split()
            if service in _HOPS and len(used) == 2:
                found[_HOPS[service]] += float(used[1]) / 1e6
    return found


def of_this_machine() -> dict[str, float]:
    """Return the CPU seconds that this process's children have used so far, and all processes of the machine."""
    times = os.times()
    user, nice, system, _, _, interrupts, soft = map(int, Path("/proc/stat").read_text().split()[1:8])
    busy = (user + nice + system + interrupts + soft) / os.sysconf("SC_CLK_TCK")
    return {_CLIENT: times.children_user + times.children_system, _ALL_ELSE: busy}


def measured(transfer: Callable[[], float]) -> dict[str, float]:
    """Return the CPU time of each hop for one of the requests that the transfer has made, and the time elapsed."""
    before = of_services() | of_this_machine()  # in this order, so that asking is not counted
    began = time.perf_counter()
    requests = transfer()
    elapsed = time.perf_counter() - began
    after = of_this_machine() | of_services()
    found = {hop: after[hop] - before[hop] for hop in before}
    found[_ALL_ELSE] -= sum(value for hop, value in found.items() if hop != _ALL_ELSE)
    return {hop: value / requests for hop, value in (found | {_ELAPSED: elapsed}).items()}


def transfers(file: Path) -> dict[str, Callable[[], float]]:
    """Return the transfers in their order. Each returns the number of requests, in thousands for small files."""
    server, path = cluster.SERVERS["ours"]
    sent = 0

    def large(command: list[str]) -> float:
        cluster.timed(command)
        return 1

    def small_up() -> float:
        nonlocal sent
        done = wrk(server, "up", path, "0")
        sent = int(done["sent"])
        return done["requests"] / 1000

    def small_down() -> float:
        return wrk(server, "down", path, str(min(1000, sent - CONNECTIONS)))["requests"] / 1000

    return {
        "1 GiB up": lambda: large(cluster.upload("ours", file)),
        "1 GiB down": lambda: large(cluster.download("ours")),
        "16 KiB up": small_up,
        "16 KiB down": small_down,
    }


def measure(rounds: int) -> None:
    """Run all rounds and print the table. This must run in the lab's network, where the hosts can be reached."""
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    with tempfile.TemporaryDirectory(dir=cache_dir(), prefix="bench-hops-") as folder:
        file = random_file(Path(folder))
        for _ in range(rounds):
            for name, transfer in transfers(file).items():
                os.sync()  # earlier writes must not slow down this measurement
                for hop, value in measured(transfer).items():
                    found[name][hop].append(value)
            cluster.delete("ours")
    columns = list(found)
    print(f"| CPU time | {' | '.join(columns)} |\n|---{'|---' * len(columns)}|")
    for hop in found[columns[0]]:
        print(f"| {hop} | {' | '.join(f'{statistics.median(found[name][hop]):.2f}' for name in columns)} |")


def main() -> None:
    """Deploy the cluster, measure it, and remove the hosts."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    if own_hosts.is_reachable():
        measure(rounds)
        return
    with own_hosts.own_hosts():
        own_hosts.deployed()
        own_hosts.run_there("bench.hops", str(rounds))


if __name__ == "__main__":
    main()
