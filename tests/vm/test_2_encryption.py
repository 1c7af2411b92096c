"""With `network: {encrypted: true}`, nobody between the hosts can read what their services say to each other."""

import itertools
import re
import subprocess
from collections import Counter

import pytest
from cluster import Cluster

from lab.vm import capture, network

MARKER = b"the text of a file that nobody else should read "
COPIES = 50_000  # 2.4 MB. So often that every packet with a part of the file has the whole marker


@pytest.fixture(scope="module")
def packets(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> list[capture.Packet]:
    """What crossed the bridge while a file was stored. Of each file, both hosts keep a copy."""
    folder = tmp_path_factory.mktemp("packets")
    file, recording = folder / "marked", folder / "recording"
    file.write_bytes(MARKER * COPIES)
    with capture.recorded(cluster.lab, recording):
        curl = ["curl", "-sS", "-f", "-X", "POST", "-F", f"file=@{file}", f"{cluster.url('slave')}/upload"]
        subprocess.run(curl, check=True)
    return capture.read(recording)


def between(cluster: Cluster, packets: list[capture.Packet]) -> list[capture.Packet]:
    """Return the packets from one host to another."""
    addresses = {cluster.address(host["name"]) for host in cluster.hosts}
    return [packet for packet in packets if {packet.source, packet.destination} <= addresses]


def test_every_host_has_keys_for_both_directions_to_every_other(cluster: Cluster) -> None:
    addresses = [cluster.address(host["name"]) for host in cluster.hosts]
    wanted = set(itertools.permutations(addresses, 2))

    for host in cluster.hosts:
        states = cluster.on(host["name"], "sudo ip xfrm state")
        found = set(re.findall(r"^src (\S+) dst (\S+)\n\s+proto esp ", states, re.MULTILINE))
        assert wanted <= found, f"{host['name']}: {states}"


def test_somebody_in_between_sees_the_file_where_it_is_not_encrypted(packets: list[capture.Packet]) -> None:
    """So the next tests would see it too. The client is outside of the cluster, and speaks plain HTTP."""
    seen = [packet for packet in packets if MARKER in packet.payload]

    assert {packet.source for packet in seen} == {network.ADDRESS}


def test_the_file_crosses_between_the_hosts_in_encrypted_packets(
    cluster: Cluster, packets: list[capture.Packet]
) -> None:
    encrypted = [packet for packet in between(cluster, packets) if packet.protocol == capture.ESP]

    to_each = Counter[str]()
    for packet in encrypted:
        to_each[packet.destination] += len(packet.payload)
    assert max(to_each.values(), default=0) > len(MARKER) * COPIES, Counter(
        packet.protocol for packet in between(cluster, packets)
    )


def test_nobody_in_between_can_read_the_file(cluster: Cluster, packets: list[capture.Packet]) -> None:
    assert not [packet for packet in between(cluster, packets) if MARKER in packet.payload]


def test_no_packet_of_an_overlay_network_is_plain(cluster: Cluster, packets: list[capture.Packet]) -> None:
    assert not [packet for packet in between(cluster, packets) if packet.is_plain_overlay]
