"""The firewall's programs with the real kernel: who reaches what on a host, and when the rules come and go."""

import fcntl
import os
import subprocess
import termios
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from firewall_network import CONTAINER, HOST, PEER, PROGRAMS, STRANGER, Network, variables
from running import wait_until

SSH_PORT = 2222
HOSTS_ONLY = {"tcp/2377", "tcp/7946", "udp/7946", "udp/4789", "esp"}
EVERYBODY = {"icmp", f"tcp/{SSH_PORT}", "tcp/5001", "tcp/9100"}
CLOSED = {"tcp/22", "tcp/2375", "udp/5001", "udp/53"}
RULES = variables([HOST, PEER], [5001, 9100], ssh_port=SSH_PORT)

needs_root = pytest.mark.needs_root  # to create network namespaces and load rules


@pytest.fixture
def network() -> Iterator[Network]:
    """Namespaces in which all is open. A test has its own: what it connects, the kernel would know in the next one."""
    network = Network()
    try:
        network.create()
        network.serve("host", *sorted((HOSTS_ONLY | EVERYBODY | CLOSED) - {"icmp"}))
        network.serve("stranger", "tcp/5001", "udp/53")
        network.serve("container", "tcp/8080")
        yield network
    finally:
        network.remove()


@needs_root
def test_without_rules_everybody_reaches_everything(network: Network) -> None:
    for role in ("peer", "stranger"):
        assert network.reaches(role, HOST, *HOSTS_ONLY, *EVERYBODY, *CLOSED)


@needs_root
def test_hosts_reach_dockers_ports_and_everybody_those_that_are_open(network: Network) -> None:
    assert network.load(RULES).returncode == 0

    assert network.reaches("peer", HOST, *HOSTS_ONLY, *EVERYBODY)
    assert network.reaches("stranger", HOST, *EVERYBODY)
    assert network.answered("peer", HOST, *CLOSED) == set()
    assert network.answered("stranger", HOST, *CLOSED, *HOSTS_ONLY) == set()


@needs_root
def test_a_host_reaches_itself_and_others_and_forwards_what_it_forwarded(network: Network) -> None:
    assert network.load(RULES).returncode == 0

    assert network.reaches("host", "127.0.0.1", *HOSTS_ONLY, *EVERYBODY, *CLOSED)
    assert network.reaches("host", HOST, *HOSTS_ONLY, *EVERYBODY, *CLOSED)
    assert network.reaches("host", STRANGER, "icmp", "tcp/5001", "udp/53")
    assert network.reaches("stranger", CONTAINER, "icmp", "tcp/8080")


@needs_root
def test_a_host_that_joins_is_let_in_and_one_that_leaves_has_time_to_go(network: Network) -> None:
    assert network.load(RULES).returncode == 0
    assert network.load(variables([HOST, STRANGER], [5001])).returncode == 0

    for role in ("peer", "stranger"):
        assert network.reaches(role, HOST, *HOSTS_ONLY)
    before = network.table()
    assert network.load(variables([HOST, STRANGER], [5001])).returncode == 0
    assert network.table() == before, "it still has time after a restart"
    assert network.load(RULES).returncode == 0
    assert [line.strip() for line in network.table().splitlines() if STRANGER in line] == [
        f"ip saddr {STRANGER} jump from_hosts"
    ]


@needs_root
def test_a_host_that_is_gone_is_shut_out_at_once(network: Network) -> None:
    assert network.load(RULES).returncode == 0
    assert network.load(variables([HOST], [5001], gone=f"192.0.2.7 {PEER}")).returncode == 0

    assert network.answered("peer", HOST, *HOSTS_ONLY) == set()


@needs_root
def test_rules_that_the_kernel_refuses_leave_the_earlier_ones(network: Network) -> None:
    assert network.load(RULES).returncode == 0
    before = network.table()

    for wrong in ({"SSH_PORT": ""}, {"RULES": RULES["RULES"].replace("tcp dport {", "tcp dport { nowhere,", 1)}):
        refused = network.load({**RULES, **wrong})
        assert refused.returncode == 1
        assert "Error: " in refused.stderr
        assert network.table() == before


@needs_root
def test_other_tables_are_left_alone(network: Network) -> None:
    network.run("host", "nft", "add table ip nat; add chain ip nat DOCKER")
    before = network.run("host", "nft", "list table ip nat").stdout

    assert network.load(RULES).returncode == 0
    network.unload()

    assert network.run("host", "nft", "list ruleset").stdout == before


@needs_root
def test_the_rules_go_when_the_container_is_stopped_and_stay_when_it_is_killed(network: Network) -> None:
    with network.kept(RULES) as keeping:
        keeping.terminate()
        assert keeping.wait(timeout=20) == 0
        assert network.table() == ""

    with network.kept(RULES) as keeping:
        keeping.kill()
        keeping.wait(timeout=20)
        assert network.reaches("peer", HOST, *HOSTS_ONLY)
        assert network.answered("stranger", HOST, *HOSTS_ONLY) == set()


class Clock:
    """Lets the container's minutes pass when a test says so."""

    def __init__(self, fifo: Path) -> None:
        os.mkfifo(fifo)
        self._fifo = os.open(fifo, os.O_RDWR)

    def start_minutes(self, minutes: int) -> None:
        """Let some minutes pass, if the container waits for so many."""
        os.write(self._fifo, b"\n" * minutes)

    def pass_minutes(self, minutes: int) -> None:
        """Let some minutes pass, and return when the last of them has begun to end."""
        self.start_minutes(minutes)
        wait_until(lambda: fcntl.ioctl(self._fifo, termios.FIONREAD, bytes(4)) == bytes(4))

    def close(self) -> None:
        os.close(self._fifo)


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    (tmp_path / "sleep").write_text(f"#!/bin/sh\nread -r _ <{tmp_path}/minutes\n")
    (tmp_path / "sleep").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with closing(Clock(tmp_path / "minutes")) as clock:
        yield clock


@needs_root
def test_the_container_ends_when_something_else_has_removed_the_rules(network: Network, clock: Clock) -> None:
    with network.kept(RULES) as keeping:
        clock.pass_minutes(3)
        assert keeping.poll() is None
        network.run("host", "nft", "flush", "ruleset")
        clock.start_minutes(1)
        assert keeping.wait(timeout=20) == 1


@needs_root
def test_a_host_that_has_left_is_shut_out_after_six_hours(network: Network, clock: Clock) -> None:
    assert network.load(RULES).returncode == 0

    with network.kept(variables([HOST], [5001])):
        clock.pass_minutes(6 * 60 - 1)
        assert network.reaches("peer", HOST, "tcp/7946")
        clock.pass_minutes(1)
        wait_until(lambda: PEER not in network.table())
        assert network.answered("peer", HOST, "tcp/7946") == set()


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ("netlink: Error: cache initialization failed: Protocol not supported", 3),
        ("Error: Could not process rule: Operation not permitted", 1),
    ],
)
def test_a_kernel_without_nf_tables_has_a_status_of_its_own(tmp_path: Path, error: str, status: int) -> None:
    (tmp_path / "nft").write_text(f"#!/bin/sh\necho '{error}' >&2\nexit 1\n")
    (tmp_path / "nft").chmod(0o755)
    environment = {**os.environ, **RULES, "PATH": f"{tmp_path}:{os.environ['PATH']}"}

    done = subprocess.run(["sh", PROGRAMS / "load.sh"], env=environment, check=False, capture_output=True, text=True)

    assert done.returncode == status
