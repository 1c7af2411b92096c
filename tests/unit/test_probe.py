"""The probe's script changes nothing, and its output is parsed correctly."""

import gzip
import platform
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from components import preflight
from components.mounts import CONTAINERD_SOCKET
from components.probe import SCRIPT, Container, Node, parse

Run = Callable[..., subprocess.CompletedProcess[str]]

FAKE_DOCKER = """#!/bin/sh
case $* in
  "info --format {{.Driver}} {{json .DriverStatus}}") echo "$FAKE_STORE" ;;
  "version --format {{.Server.Version}}") echo "$FAKE_VERSION" ;;
  "info --format {{.Containerd.Address}}") [ -n "$FAKE_ADDRESS" ] && echo "$FAKE_ADDRESS" ;;
  "info --format {{json .Swarm}}") echo '{"LocalNodeState": "active", "ControlAvailable": true}' ;;
  "version --format platform|{{.Server.Os}}/{{.Server.Arch}}") echo 'platform|linux/arm64' ;;
  "info --format {{.Swarm.ControlAvailable}}") echo "$FAKE_MANAGER" ;;
  "node inspect self --format stack|{{index .Spec.Labels "*) echo 'stack|lab' ;;
  "node inspect self --format storage|{{index .Spec.Labels "*) echo 'storage|cluster' ;;
  "node ls --quiet") [ "$FAKE_LEADER" = yes ] || { echo 'The swarm does not have a leader.' >&2; exit 1; }
    printf 'n1\\nn2\\n' ;;
  "node inspect n1 n2 --format node|{{.ID}}|"*) printf 'node|n1|master|files,monitoring\\nnode|n2|slave|\\n' ;;
  "volume ls --format volume|{{.Name}}") printf 'volume|prometheus-data\\nvolume|object-store\\n'
    exit "$FAKE_VOLUMES" ;;
  "ps --format container|{{.Names}}|"*) printf '%s\\n' \\
    'container|edge.x.y|edge|0.0.0.0:5001->5001/tcp, [::]:5001->5001/tcp, 8404/tcp' \\
    'container|old||0.0.0.0:8086-8088->8086-8088/tcp, :::8086-8088->8086-8088/tcp' \\
    'container|dns||127.0.0.1:53->53/udp' \\
    'container|quiet||' ;;
  *) echo "unexpected: docker $*" >&2; exit 64 ;;
esac
"""


OWN_STORE = 'overlay2 [["Backing Filesystem","extfs"]]'
CONTAINERDS_STORE = 'overlayfs [["driver-type","io.containerd.snapshotter.v1"]]'


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """A function that runs the script in this machine's shell, with a fake docker that answers from a table."""
    socket_path = tmp_path / "c"
    for name, text in (("docker", FAKE_DOCKER), ("curl", "#!/bin/sh\n")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)

    def run(
        *,
        store: str = OWN_STORE,
        address: str = "",
        version: str = "29.0.0",
        is_manager: bool = True,
        leader: str = "yes",
        volumes: int = 0,
        ssh_folder: Path = tmp_path,
        kernel_folder: Path = tmp_path,
        containerd: Path = socket_path,
    ) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": f"{tmp_path}:/usr/sbin:/usr/bin:/sbin:/bin",
            "FAKE_STORE": store,
            "FAKE_VERSION": version,
            "FAKE_ADDRESS": address.replace(CONTAINERD_SOCKET, str(containerd)),
            "FAKE_MANAGER": str(is_manager).lower(),
            "FAKE_LEADER": leader,
            "FAKE_VOLUMES": str(volumes),
        }
        script = SCRIPT.replace("/etc/ssh", str(ssh_folder)).replace(CONTAINERD_SOCKET, str(containerd))
        for place in ("/boot/", "/proc/config"):
            script = script.replace(place, f"{kernel_folder}/{place.rpartition('/')[2]}")
        return subprocess.run(
            ["sh", "-s"],
            input=script,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    with socket.socket(socket.AF_UNIX) as containerd:
        containerd.bind(str(socket_path))
        yield run


def test_a_manager_reports_its_swarm_nodes_volumes_and_containers(run: Run) -> None:
    done = run()
    probe = parse(done.stdout)

    assert (done.returncode, done.stderr) == (0, "")
    assert probe.is_manager
    assert probe.platform == "linux/arm64"
    assert (probe.stack, probe.storage) == ("lab", "cluster")
    assert probe.nodes == (
        Node(id="n1", host="master", holds=frozenset({"files", "monitoring"})),
        Node(id="n2", host="slave", holds=frozenset()),
    )
    assert probe.volumes == {"prometheus-data", "object-store"}
    assert probe.containers == (
        Container(name="edge.x.y", service="edge", ports=frozenset({5001})),
        Container(name="old", service="", ports=frozenset({8086, 8087, 8088})),
        Container(name="dns", service="", ports=frozenset()),
        Container(name="quiet", service="", ports=frozenset()),
    )


def test_a_worker_is_not_asked_for_nodes(run: Run) -> None:
    probe = parse(run(is_manager=False).stdout)

    assert (probe.stack, probe.nodes) == ("", ())
    assert probe.volumes


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_only_ports_with_a_listener_are_reported(run: Run, family: socket.AddressFamily, address: str) -> None:
    with socket.socket(family) as server, socket.socket(family) as bound:
        try:
            server.bind((address, 0))
        except OSError:
            pytest.skip(f"this machine has no {address}")
        bound.bind((address, 0))
        server.listen()

        listening = parse(run().stdout).listening

        assert server.getsockname()[1] in listening
        assert bound.getsockname()[1] not in listening


def test_interfaces_are_reported_with_their_mtu(run: Run) -> None:
    (loopback,) = [each for each in parse(run().stdout).interfaces if each.name == "lo"]

    assert str(loopback.address) == "127.0.0.1/8"
    assert loopback.mtu == int(Path("/sys/class/net/lo/mtu").read_text())


@pytest.mark.parametrize(
    ("files", "startups"),
    [
        ({"sshd_config": "Port 22\n"}, 10),
        ({"sshd_config": "#MaxStartups 5:30:60\nmaxstartups  30:30:60\nMaxStartups 40\n"}, 30),
        ({"sshd_config": "MaxStartups 30\n", "sshd_config.d/00-x.conf": "  MaxStartups 100:30:200\n"}, 100),
    ],
    ids=["the default", "the first one", "an included file"],
)
def test_the_number_of_unfinished_logins_is_reported(
    run: Run, tmp_path: Path, files: dict[str, str], startups: int
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)

    assert parse(run(ssh_folder=tmp_path).stdout).startups == startups


def test_the_script_fails_if_a_command_in_it_fails(run: Run) -> None:
    assert run(volumes=1).returncode != 0


def test_a_swarm_without_a_leader_is_explained(run: Run) -> None:
    done = run(leader="no")

    assert done.returncode != 0
    assert "m1: its swarm has lost most of its managers" in preflight.explain("m1", done.stderr)


@pytest.mark.parametrize("address", ["", CONTAINERD_SOCKET], ids=["an older client", "a newer one"])
def test_an_engine_may_keep_images_in_the_store_of_the_hosts_containerd(run: Run, address: str) -> None:
    done = run(store=CONTAINERDS_STORE, address=address)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("state", "line"),
    [
        (
            {"containerd": Path("/nowhere/containerd.sock")},
            "m1: its Docker Engine does not use the host's own containerd, which cAdvisor asks: install Docker from",
        ),
        (
            {"store": CONTAINERDS_STORE, "address": "/run/docker/containerd/containerd.sock"},
            "m1: its Docker Engine does not use the host's own containerd, which cAdvisor asks: install Docker from",
        ),
        (
            {"store": CONTAINERDS_STORE, "version": "27.5.1"},
            "m1: its Docker Engine is older than 28 and cannot build images in containerd's store: set `",
        ),
        (
            {"store": CONTAINERDS_STORE.replace("overlayfs", "native")},
            "m1: its Docker Engine keeps images in a store where cAdvisor sees no containers: let it use overlayfs",
        ),
    ],
    ids=["no socket", "another socket", "an old Engine", "another snapshotter"],
)
def test_an_engine_whose_containers_cadvisor_would_not_see_is_refused(run: Run, state: Any, line: str) -> None:
    done = run(**state)

    assert done.returncode != 0
    assert preflight.explain("m1", done.stderr).startswith(line)


@pytest.mark.parametrize(
    ("config", "has_ipsec"),
    [
        ("CONFIG_INET_ESP=y\n", True),
        ("CONFIG_XFRM=y\nCONFIG_INET_ESP=m\n", True),
        ("CONFIG_XFRM=y\n# CONFIG_INET_ESP is not set\nCONFIG_INET_ESP_OFFLOAD=m\n", False),
        (None, True),
    ],
    ids=["built in", "as a module", "without", "unknown"],
)
@pytest.mark.parametrize("compressed", [True, False])
def test_a_kernel_that_is_known_to_have_no_ipsec_is_reported(
    run: Run, tmp_path: Path, config: str | None, *, has_ipsec: bool, compressed: bool
) -> None:
    if config is not None and compressed:
        (tmp_path / "config.gz").write_bytes(gzip.compress(config.encode()))
    elif config is not None:
        (tmp_path / f"config-{platform.release()}").write_text(config)

    assert parse(run(kernel_folder=tmp_path).stdout).has_ipsec is has_ipsec
