"""Record the packets between virtual machines, to see what somebody in between could read."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from lab import namespace
from lab.packages import LabError
from lab.paths import Lab
from lab.vm import network

ESP = 50
"""The IP protocol of encrypted packets."""

UDP = 17
"""The IP protocol of an overlay network's packets that are not encrypted."""

VXLAN_PORT = 4789
"""The UDP port at which a swarm's hosts take the packets of overlay networks."""

_START_SECONDS = 60
_POLL_SECONDS = 0.1
_FILE_HEADER, _PACKET_HEADER, _ETHERNET_HEADER = 24, 16, 14
_MAGIC = b"\xd4\xc3\xb2\xa1"
_IPV4 = b"\x08\x00"


@dataclass(frozen=True, kw_only=True)
class Packet:
    """An IPv4 packet: its addresses, IP protocol, and what follows the IP header."""

    source: str
    destination: str
    protocol: int
    payload: bytes

    @property
    def is_plain_overlay(self) -> bool:
        """Whether it carries a packet of an overlay network that anybody in between could read."""
        return self.protocol == UDP and int.from_bytes(self.payload[2:4]) == VXLAN_PORT


@contextmanager
def recorded(lab: Lab, file: Path) -> Iterator[None]:
    """Record all packets that cross the machines' bridge meanwhile.

    Raises:
        LabError: the recording did not start.
    """
    log = file.with_suffix(".log")
    with log.open("w") as output:
        recorder = subprocess.Popen(
            # `-U` writes each packet at once; `-Z root` keeps it able to write into the folder.
            namespace.command(lab, ["tcpdump", "-n", "-U", "-Z", "root", "-i", network.BRIDGE, "-w", str(file)]),
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + _START_SECONDS
        while "listening on" not in log.read_text():
            if recorder.poll() is not None or time.monotonic() > deadline:
                raise LabError(f"tcpdump did not start: {log.read_text()}")
            time.sleep(_POLL_SECONDS)
        yield
    finally:
        recorder.terminate()  # it then writes what it still holds
        recorder.wait()


def read(file: Path) -> list[Packet]:
    """Return the IPv4 packets of a recording, in its order.

    Raises:
        ValueError: the file is not a recording in tcpdump's format.
    """
    content = file.read_bytes()
    if content[:4] != _MAGIC:
        raise ValueError(f"{file} is not a recording of tcpdump")
    packets, position = [], _FILE_HEADER
    while position + _PACKET_HEADER <= len(content):
        size = int.from_bytes(content[position + 8 : position + 12], "little")
        frame = content[position + _PACKET_HEADER : position + _PACKET_HEADER + size]
        position += _PACKET_HEADER + size
        if frame[12:_ETHERNET_HEADER] == _IPV4:
            packets.append(_packet(frame[_ETHERNET_HEADER:]))
    return packets


def _packet(ip: bytes) -> Packet:
    length = (ip[0] & 0x0F) * 4
    return Packet(
        source=str(IPv4Address(ip[12:16])),
        destination=str(IPv4Address(ip[16:20])),
        protocol=ip[9],
        payload=ip[length:],
    )
