"""What a recording of tcpdump says of packets: between whom they are, and whether anybody could read them."""

from ipaddress import IPv4Address
from pathlib import Path

import pytest

from lab import namespace
from lab.packages import LabError
from lab.paths import Lab
from lab.vm import capture

MASTER, SLAVE = "192.168.50.2", "192.168.50.3"


def frame(protocol: int, payload: bytes, *, ethertype: int = 0x0800, options: int = 0) -> bytes:
    """Return an Ethernet frame from the master to the slave."""
    words = 5 + options
    ip = bytes([0x40 | words]) + bytes(8) + bytes([protocol]) + bytes(2)
    ip += IPv4Address(MASTER).packed + IPv4Address(SLAVE).packed + bytes(4 * options)
    return bytes(12) + ethertype.to_bytes(2) + ip + payload


def recording(path: Path, *frames: bytes) -> Path:
    header = b"\xd4\xc3\xb2\xa1" + bytes(20)
    packets = [bytes(8) + len(each).to_bytes(4, "little") * 2 + each for each in frames]
    path.write_bytes(header + b"".join(packets))
    return path


def udp(port: int, text: bytes) -> bytes:
    return (40000).to_bytes(2) + port.to_bytes(2) + bytes(4) + text


def test_every_packet_has_its_addresses_protocol_and_payload(tmp_path: Path) -> None:
    file = recording(tmp_path / "r", frame(capture.ESP, b"secret"), frame(6, b"plain", options=3))

    assert capture.read(file) == [
        capture.Packet(source=MASTER, destination=SLAVE, protocol=50, payload=b"secret"),
        capture.Packet(source=MASTER, destination=SLAVE, protocol=6, payload=b"plain"),
    ]


def test_packets_of_other_protocols_than_ipv4_are_left_out(tmp_path: Path) -> None:
    file = recording(tmp_path / "r", frame(0, b"who has", ethertype=0x0806), frame(capture.ESP, b"x"))

    assert [packet.payload for packet in capture.read(file)] == [b"x"]


@pytest.mark.parametrize(
    ("protocol", "payload", "plain"),
    [
        (capture.UDP, udp(4789, b"x"), True),
        (capture.UDP, udp(7946, b"x"), False),
        (capture.ESP, udp(4789, b"x"), False),
    ],
    ids=["vxlan", "gossip", "esp"],
)
def test_only_unencrypted_vxlan_is_a_plain_packet_of_an_overlay_network(
    tmp_path: Path, protocol: int, payload: bytes, plain: bool
) -> None:
    (packet,) = capture.read(recording(tmp_path / "r", frame(protocol, payload)))

    assert packet.is_plain_overlay is plain


def test_another_file_is_no_recording(tmp_path: Path) -> None:
    (tmp_path / "r").write_bytes(b"something else")

    with pytest.raises(ValueError, match="not a recording"):
        capture.read(tmp_path / "r")


def test_a_recording_that_does_not_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failing = ["sh", "-c", "echo 'machines: No such device'; exit 1"]
    monkeypatch.setattr(namespace, "command", lambda *_: failing)

    with (
        pytest.raises(LabError, match="tcpdump did not start: machines: No such device"),
        capture.recorded(Lab(name="vm", checkout=tmp_path, virtual=True), tmp_path / "r"),
    ):
        pass


def test_a_recording_ends_with_the_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = tmp_path / "ended"
    script = f"trap 'touch {ended}; exit 0' TERM; echo 'listening on machines'; while :; do sleep 0.01; done"
    monkeypatch.setattr(namespace, "command", lambda *_: ["sh", "-c", script])

    with capture.recorded(Lab(name="vm", checkout=tmp_path, virtual=True), tmp_path / "r"):
        assert not ended.exists()

    assert ended.exists()
