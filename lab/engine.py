"""The Docker Engine that runs the hosts of an offline lab, in the lab's network namespace.

Engine data survives a killed engine and a restart of the machine, so the next start finds the hosts and their files.
Leftovers that would disturb a new engine (pid files, sockets, mounts, namespaces) are removed before every start.
"""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab import namespace
from lab.packages import LabError
from lab.paths import MACHINE_DIR, Lab
from lab.progress import step

_START_SECONDS = 60
_STOP_SECONDS = 60


@contextmanager
def exclusive(lab: Lab) -> Iterator[None]:
    """Lock the lab, so that only one process at a time changes it.

    Raises:
        LabError: another process has locked it.
    """
    MACHINE_DIR.mkdir(parents=True, exist_ok=True)
    with lock_file(lab).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LabError(
                f'the lab "{lab.name}" of this checkout is being changed by another process: wait until it has ended'
            ) from None
        yield


def lock_file(lab: Lab) -> Path:
    """Return the file that `exclusive` locks. The holder of the lock may delete it as its last action."""
    return MACHINE_DIR / f"{lab.id}.lock"


def start(lab: Lab) -> None:
    """Start the engine, unless it is already running.

    Raises:
        LabError: it did not start; with the end of its log.
    """
    if answers(lab):
        return
    lab.machine_dir.mkdir(parents=True, exist_ok=True)
    lab.logs_dir.mkdir(parents=True, exist_ok=True)
    (lab.machine_dir / "lab.json").write_text(json.dumps({"checkout": str(lab.checkout.resolve()), "name": lab.name}))
    with step("starting the lab's Docker Engine"):
        _clear_stale(lab)
        namespace.create(lab)
        log = lab.logs_dir / "dockerd.log"
        with log.open("w") as output:
            dockerd = subprocess.Popen(
                namespace.command(lab, _command(lab)),
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + _START_SECONDS
        while not answers(lab):
            if dockerd.poll() is not None or time.monotonic() > deadline:
                tail = "\n".join(log.read_text().splitlines()[-15:])
                raise LabError(f"the Docker Engine did not start; the end of {log}:\n{tail}")
            time.sleep(0.2)


def answers(lab: Lab) -> bool:
    """Return whether the engine is up."""
    if not namespace.exists(lab) or not lab.engine_socket.exists():
        return False
    command = ["curl", "-sf", "--max-time", "5", "--unix-socket", str(lab.engine_socket), "http://docker/_ping"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def remove(lab: Lab) -> None:
    """Stop the engine and remove all that it made: containers, data, mounts, control groups and the namespace."""
    if answers(lab):
        remove_containers(lab)
    _clear_stale(lab)
    shutil.rmtree(lab.machine_dir, ignore_errors=True)


def remove_containers(lab: Lab) -> None:
    """Remove all hosts and their data. The engine keeps running, with its images."""
    listed = subprocess.run(docker(lab, "ps", "-aq"), capture_output=True, text=True, check=True).stdout.split()
    if listed:
        subprocess.run(docker(lab, "rm", "-f", "-v", *listed), check=True, stdout=subprocess.DEVNULL)


def sweep_orphans() -> None:
    """Remove labs whose checkout no longer exists."""
    for record in MACHINE_DIR.glob("*/lab.json"):
        lab = json.loads(record.read_text())
        if not Path(lab["checkout"], "Pulumi.yaml").exists():
            with step(f"removing the lab of {lab['checkout']}, which no longer exists"):
                orphan = _Orphan(name=lab["name"], checkout=Path(lab["checkout"]), directory=record.parent)
                remove(orphan)
                lock_file(orphan).unlink(missing_ok=True)


def docker(lab: Lab, *arguments: str) -> list[str]:
    """Return a docker command for the lab's engine."""
    return ["docker", "--host", f"unix://{lab.engine_socket}", *arguments]


class _Orphan(Lab):
    """A lab that is known only by its folder in `MACHINE_DIR`."""

    def __init__(self, *, name: str, checkout: Path, directory: Path) -> None:
        super().__init__(name=name, checkout=checkout)
        object.__setattr__(self, "_id", directory.name)

    @property
    def id(self) -> str:
        return str(self.__dict__["_id"])


def _command(lab: Lab) -> list[str]:
    return [
        "dockerd",
        f"--host=unix://{lab.engine_socket}",
        f"--data-root={lab.machine_dir / 'data'}",
        f"--exec-root={lab.machine_dir / 'exec'}",
        f"--pidfile={_pid_file(lab)}",
        # All of the lab's control groups are below this one, so that removing the lab finds them all.
        f"--cgroup-parent=/{lab.namespace}",
        "--storage-driver=overlay2",
        "--log-level=warn",
    ]


def _pid_file(lab: Lab) -> Path:
    return lab.machine_dir / "docker.pid"


def _clear_stale(lab: Lab) -> None:
    """End the lab's processes, and remove their mounts, their control groups and the namespace."""
    _end(_processes(lab))
    # The deepest first, since a mount may contain others.
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for mount in sorted((m for m in mounts if m.startswith(f"{lab.machine_dir}/")), key=len, reverse=True):
        subprocess.run(["umount", "--lazy", mount], check=False)
    for hierarchy in Path("/sys/fs/cgroup").glob(f"*/{lab.namespace}"):
        for group in sorted(hierarchy.rglob("*/"), key=lambda path: len(path.parts), reverse=True):
            _remove_group(group)
        _remove_group(hierarchy)
    namespace.remove(lab)
    _pid_file(lab).unlink(missing_ok=True)
    shutil.rmtree(lab.machine_dir / "exec", ignore_errors=True)


def _remove_group(group: Path) -> None:
    try:
        group.rmdir()
    except OSError as error:  # already gone, or not empty yet: leaving it does no harm
        print(f"   control group {group} is left: {error.strerror}")


def _processes(lab: Lab) -> set[int]:
    """Return the lab's processes: those in its namespace or control groups, or with its folder in their arguments."""
    found = set(namespace.members(lab))
    for group in Path("/sys/fs/cgroup/pids").glob(f"{lab.namespace}/**/cgroup.procs"):
        found |= {int(pid) for pid in group.read_text().split()}
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().split(b"\0")
        except OSError:  # the process has just ended
            continue
        if any(str(lab.machine_dir).encode() + b"/" in word for word in words):
            found.add(int(entry.parent.name))
    return found - {os.getpid(), os.getppid()}


def _end(processes: set[int]) -> None:
    """End processes with SIGTERM, wait, and kill those that are left."""
    for number, seconds in ((signal.SIGTERM, _STOP_SECONDS), (signal.SIGKILL, 10)):
        processes = {pid for pid in processes if _signal(pid, number)}
        deadline = time.monotonic() + seconds
        while processes and time.monotonic() < deadline:
            time.sleep(0.1)
            processes = {pid for pid in processes if _is_running(pid)}


def _signal(pid: int, number: int) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def _is_running(pid: int) -> bool:
    """Return whether the process is running. A zombie is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
