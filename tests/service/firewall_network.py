"""A host with others around it, each in a network namespace of its own, and the firewall on it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from ipaddress import IPv4Address
from pathlib import Path

from running import wait_until

from components.firewall_rules import firewall_rules
from lab.packages import program

PROGRAMS = Path(__file__).parent.parent.parent / "services" / "firewall"
HOST = "192.0.2.2"
PEER = "192.0.2.3"
STRANGER = "192.0.2.9"
CONTAINER = "198.51.100.2"
"""The address of what is behind the host, which forwards to it."""

_PROBE = Path(__file__).parent / "firewall_probe.py"
_PATIENCE_SECONDS = 20
_SILENCE_SECONDS = 1
"""How long a probe has that is expected not to be answered."""


class Network:
    """The namespaces: `host` with the bridge on which `peer` and `stranger` are, and with `container` behind it."""

    def __init__(self) -> None:
        self._names = {role: f"firewall-{os.getpid()}-{role}" for role in ("host", "peer", "stranger", "container")}
        self._servers: list[subprocess.Popen[str]] = []

    def create(self) -> None:
        """Create the namespaces and what connects them."""
        for name in self._names.values():
            subprocess.run(["ip", "netns", "add", name], check=True)
        self.ip("host", "link add bridge type bridge", "link set lo up", "link set bridge up")
        self.ip("host", f"address add {HOST}/24 dev bridge")
        for role, address in (("peer", PEER), ("stranger", STRANGER)):
            self.ip("host", f"link add {role} type veth peer name eth0 netns {self._names[role]}")
            self.ip("host", f"link set {role} master bridge", f"link set {role} up")
            self.ip(role, "link set eth0 up", f"address add {address}/24 dev eth0", f"route add default via {HOST}")
        self.ip("host", f"link add inside type veth peer name eth0 netns {self._names['container']}")
        self.ip("host", "link set inside up", "address add 198.51.100.1/24 dev inside")
        self.ip("container", "link set eth0 up", f"address add {CONTAINER}/24 dev eth0")
        self.ip("container", "route add default via 198.51.100.1")
        self.run("host", "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")

    def remove(self) -> None:
        """End the servers, and remove the namespaces with all that is in them."""
        for server in self._servers:
            server.kill()
            server.communicate()
        for name in self._names.values():
            subprocess.run(["ip", "netns", "delete", name], check=False)

    def ip(self, role: str, *commands: str) -> None:
        """Run `ip` with each of these lines in a namespace."""
        for command in commands:
            self.run(role, "ip", *command.split())

    def command(self, role: str, *words: str) -> list[str]:
        """Return the command line that runs the command in a namespace."""
        return ["ip", "netns", "exec", self._names[role], *words]

    def run(self, role: str, *words: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command in a namespace."""
        return subprocess.run(
            self.command(role, *words),
            env={**os.environ, **environment},
            check=check,
            capture_output=True,
            text=True,
        )

    def serve(self, role: str, *probes: str) -> None:
        """Answer these probes in a namespace."""
        server = subprocess.Popen(
            self.command(role, sys.executable, str(_PROBE), "serve", *probes), stdout=subprocess.PIPE, text=True
        )
        self._servers.append(server)
        assert server.stdout
        assert server.stdout.readline() == "ready\n"

    def answered(self, role: str, address: str, *probes: str, seconds: float = _SILENCE_SECONDS) -> set[str]:
        """Return which of the probes from a namespace to the address are answered within this time."""
        return set(self.run(role, sys.executable, str(_PROBE), "reach", address, str(seconds), *probes).stdout.split())

    def reaches(self, role: str, address: str, *probes: str) -> bool:
        """Tell whether all of the probes are answered, even if this takes a while."""
        return self.answered(role, address, *probes, seconds=_PATIENCE_SECONDS) == set(probes)

    # The firewall on the host

    def table(self) -> str:
        """Return the firewall's rules as the host's kernel has them, or nothing."""
        return self.run("host", program("nft"), "list", "table", "inet", "swarm_transfer", check=False).stdout

    def load(self, variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """Load rules as the container does."""
        return self.run("host", "sh", str(PROGRAMS / "load.sh"), check=False, **variables)

    def unload(self) -> None:
        """Remove the rules as the container does."""
        self.run("host", "sh", str(PROGRAMS / "unload.sh"))

    @contextmanager
    def kept(self, variables: Mapping[str, str]) -> Iterator["subprocess.Popen[str]"]:
        """Run what the container runs, from when it has loaded the rules."""
        keeping = subprocess.Popen(
            self.command("host", "sh", str(PROGRAMS / "keep.sh")),
            env={**os.environ, **variables},
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            wait_until(lambda: bool(self.table()))
            yield keeping
        finally:
            with suppress(ProcessLookupError):
                os.killpg(keeping.pid, signal.SIGKILL)  # with the program that waits for the next minute
            keeping.communicate()


def variables(hosts: Iterable[str], ports: Iterable[int], *, ssh_port: int = 22, gone: str = "") -> dict[str, str]:
    """Return the environment of the firewall's programs."""
    rules = firewall_rules(hosts=map(IPv4Address, hosts), ports=ports)
    return {"RULES": rules, "SSH_PORT": str(ssh_port), "GONE": gone}
