"""The deployed cluster, as the end-to-end tests use it: settings, Pulumi, hosts, metrics and transfers."""

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import requests
import yaml

from components.ssh import SshError
from lab import demo, engine, hosts, namespace, stack
from lab.paths import Lab
from monitoring import influxdb_client

_TIMEOUT = 120
_OPERATION_TIMEOUT = 900
_POLL_SECONDS = 0.1
_ADDRESSES = {"master": "192.168.50.2", "slave": "192.168.50.3", "third": "192.168.50.4"}

_PROBLEMS = """
for service in files object-store postgres etcd prometheus; do
  for container in $(docker ps --all --quiet --filter "name=^$service"); do
    docker logs --timestamps --since 5m "$container" 2>&1 |
      grep -v -e '{"time"' -e 'no action' | tail -n 20 | cut -c -300
  done
done
"""
"""Prints what the programs on a host logged lately, except the file service's lines for single requests."""


class Cluster:
    """A lab's cluster, deployed from a copy of the checkout, so that a test may edit the program."""

    def __init__(self, lab: Lab, tools: Path) -> None:
        self.lab = lab
        self._tools = tools
        self._project = lab.local_dir / "project"
        self._read: influxdb_client.Read | None = None
        shutil.rmtree(self._project, ignore_errors=True)
        tracked = subprocess.run(
            ["git", "ls-files", "-z"], cwd=lab.checkout, capture_output=True, text=True, check=True
        )
        for name in filter(None, tracked.stdout.split("\0")):
            if (lab.checkout / name).is_file():
                (self._project / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(lab.checkout / name, self._project / name)
        # The configuration's paths are relative to the project, so the copy needs the keys too.
        (self._project / ".local").symlink_to(lab.checkout / ".local")

    # Settings and Pulumi

    @property
    def hosts(self) -> list[dict[str, Any]]:
        return yaml.safe_load((self.lab.checkout / "Pulumi.lab.yaml").read_text())["config"]["swarm-transfer:hosts"]

    def pulumi(self, *arguments: str, check: bool = True, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        return stack.pulumi(self.lab, self._tools, *arguments, check=check, stdin=stdin, project=self._project)

    def start_pulumi(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start Pulumi in a session of its own, with its output in a pipe."""
        return subprocess.Popen(
            namespace.command(self.lab, ["pulumi", "--non-interactive", "--color=never", *arguments]),
            cwd=self._project,
            env=stack.environment(self.lab, self._tools),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def resources(self) -> list[dict[str, Any]]:
        """Return the resources in Pulumi's state."""
        exported = self.pulumi("stack", "export").stdout
        return list(json.loads(exported[exported.index("{") :])["deployment"]["resources"])

    def urn(self, name: str) -> str:
        """Return the URN of the resource with this name."""
        (urn,) = [found["urn"] for found in self.resources() if found["urn"].endswith(f"::{name}")]
        return str(urn)

    def operation(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one of the commands in `operations/` on the stack."""
        return subprocess.run(
            namespace.command(self.lab, [sys.executable, "-m", f"operations.{name}", *arguments]),
            cwd=self._project,
            env=stack.environment(self.lab, self._tools),
            check=False,
            capture_output=True,
            text=True,
            timeout=_OPERATION_TIMEOUT,
        )

    def up(self, *options: str) -> str:
        return self.pulumi("up", "--yes", "--skip-preview", *options).stdout

    def state(self) -> dict[Path, bytes]:
        """Return the files in which Pulumi keeps its state."""
        stacks = self.lab.local_dir / "state" / ".pulumi" / "stacks"
        return {path: path.read_bytes() for path in stacks.rglob("*.json")}

    def planned(self) -> list[tuple[str, str, str, tuple[str, ...]]]:
        """Return the steps of a preview: operation, type, name, and the properties that differ."""
        done = self.pulumi("preview", "--json")
        steps = json.loads(done.stdout[done.stdout.index("{") :])["steps"]
        return [
            (
                step["op"],
                (step.get("newState") or step["oldState"])["type"],
                step["urn"].rpartition("::")[2],
                tuple(sorted(step.get("detailedDiff") or {})),
            )
            for step in steps
            if step["op"] != "same"
        ]

    @contextmanager
    def other_operator(self) -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
        """Yield Pulumi on the same stack from another checkout, with another operator's ssh key.

        The key lies at the same place in the other checkout, and all hosts accept it.
        """
        with tempfile.TemporaryDirectory() as folder:
            checkout = Path(folder) / "checkout"
            shutil.copytree(self._project, checkout, ignore=shutil.ignore_patterns(".local"))
            ssh = checkout / self.lab.ssh_dir.relative_to(self.lab.checkout)
            ssh.mkdir(parents=True)
            shutil.copy(self.lab.ssh_dir / "known_hosts", ssh)
            key = ssh / "id_ed25519"
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "other", "-f", str(key)], check=True)
            public = key.with_suffix(".pub").read_text().strip()
            for host in self.hosts:
                self.on(host["name"], f"echo {shlex.quote(public)} >>.ssh/authorized_keys")
            try:
                yield partial(stack.pulumi, self.lab, self._tools, project=checkout)
            finally:
                for host in self.hosts:
                    self.on(host["name"], "sed -i '/ other$/d' .ssh/authorized_keys")

    @contextmanager
    def configured(self, **settings: Any) -> Iterator[None]:
        """Change settings for a while. Mappings are merged with the present ones."""
        before = self.lab.config_file.read_text()
        self.configure(**settings)
        try:
            yield
        finally:
            self.lab.config_file.write_text(before)

    def configure(self, **settings: Any) -> None:
        """Change settings for good. Mappings are merged with the present ones."""
        document = yaml.safe_load(self.lab.config_file.read_text())
        for name, value in settings.items():
            known = document["config"].get(f"swarm-transfer:{name}")
            merged = {**known, **value} if isinstance(known, dict) and isinstance(value, dict) else value
            document["config"][f"swarm-transfer:{name}"] = merged
        self.lab.config_file.write_text(yaml.safe_dump(document))

    def set_secret(self, name: str, value: str) -> None:
        """Set a secret setting. A dot in the name leads into a nested setting."""
        path = ["--path"] if "." in name else []
        self.pulumi("config", "set", "--secret", *path, f"swarm-transfer:{name}", stdin=value)
        self._read = None  # it may have the old password

    def secret(self, name: str) -> str:
        return self.pulumi("config", "get", f"swarm-transfer:{name}").stdout.strip()

    def operator_password(self) -> str:
        return self.secret("operator_password")

    @contextmanager
    def edited(self, name: str, text: str, *, front: bool = False) -> Iterator[None]:
        """Add text to a file of the program for a while."""
        path = self._project / name
        before = path.read_text()
        path.write_text(text + before if front else before + text)
        try:
            yield
        finally:
            path.write_text(before)

    @contextmanager
    def added(self, name: str, text: str) -> Iterator[None]:
        """Add a file to the program for a while."""
        path = self._project / name
        path.write_text(text)
        try:
            yield
        finally:
            path.unlink()

    # Hosts

    def on(self, host: str, script: str, *, timeout: int = 60) -> str:
        return demo.ask_host(self.lab, _ADDRESSES[host], script, timeout=timeout)

    def address(self, host: str) -> str:
        return _ADDRESSES[host]

    def vagrant_up(self, host: str) -> None:
        hosts.up(self.lab, host)

    def vagrant_destroy(self, host: str) -> None:
        hosts.destroy(self.lab, host)

    def install_engine(self, host: str, programs: Path) -> None:
        """Replace a host's Docker Engine, delete all that the old one stored, and start the host again."""
        into = f"{self._container(host)}:/usr/local/sbin/"  # where programs are looked for first
        subprocess.run(engine.docker(self.lab, "cp", f"{programs}/.", into), check=True, stdout=subprocess.DEVNULL)
        self.on(host, "sudo sh -c 'rm -rf /var/lib/docker/*'")
        self.kill(host)
        hosts.up(self.lab, host)
        # The host's ssh server answers before its Engine does.
        self.eventually(
            lambda: bool(self.on(host, "docker info --format '{{.ServerVersion}}' 2>/dev/null || true").strip())
        )

    def kill(self, host: str) -> None:
        subprocess.run(engine.docker(self.lab, "kill", self._container(host)), check=True, stdout=subprocess.DEVNULL)

    def is_running(self, host: str) -> bool:
        shown = engine.docker(self.lab, "inspect", "--format", "{{.State.Running}}", self._container(host))
        return subprocess.run(shown, check=True, capture_output=True, text=True).stdout.strip() == "true"

    def _container(self, host: str) -> str:
        return (self.lab.local_dir / "vagrant" / "machines" / host / "docker" / "id").read_text()

    @contextmanager
    def stopped(self, host: str) -> Iterator[None]:
        """Kill a host, and start it again afterwards."""
        self.kill(host)
        try:
            yield
        finally:
            hosts.up(self.lab, host)

    def drop_page_cache(self) -> None:
        """Drop what the kernel holds of the hosts' disks, if it is this machine's kernel and this user may do so."""
        control = Path("/proc/sys/vm/drop_caches")
        if os.access(control, os.W_OK):
            control.write_text("3\n")

    def specification(self, service: str) -> dict[str, Any]:
        """Return the service's specification, without the parts that Swarm and the provider sometimes change."""
        (found,) = json.loads(self.on("master", f"docker service inspect {service}"))
        specification: dict[str, Any] = found["Spec"]
        specification["TaskTemplate"]["Placement"].pop("Platforms", None)
        specification["TaskTemplate"]["Placement"]["Constraints"].sort()
        specification["TaskTemplate"].pop("ForceUpdate", None)
        return specification

    def node(self, host: str) -> dict[str, Any]:
        """Return the specification of the host's node."""
        return dict(json.loads(self.on("master", f"docker node inspect {host} --format '{{{{json .Spec}}}}'")))

    def service_ids(self) -> set[str]:
        """Return the ids of all services except the object store's masters and etcd, which depend on the managers."""
        listed = self.on("master", "docker service ls --format '{{.Name}} {{.ID}}'").splitlines()
        return {line.split()[1] for line in listed if not line.startswith(("object-store-master-", "etcd-"))}

    def tasks(self, service: str) -> set[str]:
        """Return the ids of the tasks that should run."""
        listed = self.on("master", f"docker service ps --quiet --filter desired-state=running {service}")
        return set(listed.split())

    def slots(self, service: str) -> set[str]:
        """Return the numbers of the replicas that should run. When a service is scaled down, any of them may go."""
        running = "docker service ps --filter desired-state=running --format '{{.Name}}'"
        return {name.rpartition(".")[2] for name in self.on("master", f"{running} {service}").split()}

    def replicas(self, service: str) -> str:
        # A filter by name would also match services whose names only begin with this one.
        listed = self.on("master", "docker service ls --format '{{.Name}} {{.Replicas}}'").splitlines()
        return dict(line.split()[:2] for line in listed)[service]

    def names(self, kind: str, beginning: str = "") -> list[str]:
        """Names of the swarm's configs or secrets."""
        listed = self.on("master", f"docker {kind} ls --format '{{{{.Name}}}}'").split()
        return [name for name in listed if name.startswith(beginning)]

    def containers(self, service: str, host: str = "master") -> list[str]:
        """Ids of a service's running containers on a host."""
        return self.on(host, f"docker ps -q --filter label=com.docker.swarm.service.name={service}").split()

    def own_images(self, host: str, program: str) -> list[str]:
        """Return the images of a program that the host has built."""
        repository = f"localhost/swarm-transfer/{program}"
        return self.on(host, f"docker image ls --format '{{{{.Repository}}}}:{{{{.Tag}}}}' {repository}").split()

    def leftovers(self, host: str) -> list[str]:
        """Return containers, images, volumes and networks on a host, without the three networks of every engine."""
        listed = self.on(
            host,
            "docker ps -aq; docker image ls -aq; docker volume ls -q; "
            "docker network ls --format '{{.Name}}' | grep -vxE 'bridge|host|none' || true",
        )
        return listed.split()

    @contextmanager
    def known_key(self, address: str, *, like: str) -> Iterator[None]:
        """Record another host's key for an address, for a while."""
        path = self.lab.ssh_dir / "known_hosts"
        before = path.read_text()
        other = next(host["address"] for host in self.hosts if host["name"] == like)
        lines = dict(line.split(" ", 1) for line in before.splitlines())
        lines[address] = lines[other]
        path.write_text("".join(f"{known} {key}\n" for known, key in lines.items()))
        try:
            yield
        finally:
            path.write_text(before)

    def foreign_key(self) -> Path:
        """A private key that no host knows."""
        path = self.lab.local_dir / "foreign-key"
        if not path.exists():
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
        return path

    # Metrics

    @property
    def read(self) -> influxdb_client.Read:
        """Reads the InfluxDBs as the reader."""
        if self._read is None:
            urls = {"vms": f"http://{_ADDRESSES['master']}:8086", "containers": f"http://{_ADDRESSES['master']}:8087"}
            self._read = influxdb_client.reader(urls, "reader", self.secret("influxdb_reader_password"))
        return self._read

    def prometheus(self, query: str) -> list[dict[str, Any]]:
        """The result of an instant query."""
        return list(self._prometheus("query", query=query)["result"])

    def _prometheus(self, path: str, **parameters: str) -> dict[str, Any]:
        """Query the API from inside Prometheus's container, since it is not published."""
        names = [host["name"] for host in self.hosts]
        host, container = next((name, found) for name in names for found in self.containers("prometheus", name))
        url = f"http://127.0.0.1:9090/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        answer = self.on(host, f"docker exec {container} wget -q -O - {shlex.quote(url)}")
        return dict(json.loads(answer)["data"])

    def described(self) -> str:
        """Describe what may explain a failure: what programs logged, nodes, services, tasks, and Prometheus's targets.

        The likeliest explanation is first, since long reports are cut.
        """
        # Not `docker service logs`, which waits for ever for the logs of a host that was killed.
        logs, up = "", []
        for host in self.hosts:
            with suppress(SshError):
                logs += self.on(host["name"], _PROBLEMS, timeout=120)
                up.append(host["name"])
        listed = self.on(
            up[0],
            "docker node ls; docker service ls --format '{{.Name}} {{.Replicas}}'; "
            "docker node ps --no-trunc --format '{{.Name}} on {{.Node}}: {{.CurrentState}} {{.Error}}' "
            "$(docker node ls -q) | sort -u",
        )
        targets = [
            f"{target['labels']} {target['scrapeUrl']} {target['health']} {target['lastScrape']} {target['lastError']}"
            for target in self._prometheus("targets", state="active")["activeTargets"]
        ]
        return "\n".join([logs, listed, *targets])

    # Transfers

    def url(self, host: str) -> str:
        return f"http://{_ADDRESSES[host]}:5001"

    @staticmethod
    def eventually(holds: Callable[[], bool], *, seconds: float = 60, shown: Callable[[], object] = str) -> None:
        """Wait until `holds` returns true. If it does not, the failure has the text of `shown`."""
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, f"not so within {seconds} s: {shown()}"
            time.sleep(_POLL_SECONDS)

    def upload(self, name: str, content: bytes, *, through: str) -> None:
        answer = requests.post(f"{self.url(through)}/upload", files={"file": (name, content)}, timeout=_TIMEOUT)
        assert answer.ok, f"{answer.status_code}: {answer.text}"

    def download(self, name: str, *, back: str) -> bytes:
        answer = requests.post(f"{self.url(back)}/download", data={"name": name}, timeout=_TIMEOUT)
        assert answer.ok, f"{answer.status_code}: {answer.text}"
        return answer.content
