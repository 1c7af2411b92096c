"""Two programs for network namespaces: `serve PROBE...` answers, and `reach ADDRESS SECONDS PROBE...` prints who does.

A probe is tcp/PORT, udp/PORT, esp or icmp. The kernel itself answers icmp.
"""

import os
import select
import socket
import struct
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

_ECHO_REQUEST, _ECHO_REPLY = 8, 0


def serve(probes: list[str]) -> None:
    """Answer all probes until the process is killed, and say on standard output once it does."""
    servers = [_server(probe) for probe in probes]
    print("ready", flush=True)
    while True:
        for server in select.select(servers, [], [])[0]:
            if server.type == socket.SOCK_STREAM:
                server.accept()[0].close()
            else:
                server.sendto(b"answer--", server.recvfrom(2048)[1])


def reach(address: str, seconds: float, probes: list[str]) -> list[str]:
    """Return which of the probes are answered within this time."""
    with ThreadPoolExecutor(len(probes)) as pool:
        answered = pool.map(lambda probe: _is_answered(address, seconds, probe), probes)
        return [probe for probe, found in zip(probes, answered, strict=True) if found]


def _socket(kind: str) -> socket.socket:
    match kind:
        case "tcp":
            return socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        case "udp":
            return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        case "esp":
            return socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ESP)
        case _:
            return socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)


def _server(probe: str) -> socket.socket:
    kind, _, port = probe.partition("/")
    server = _socket(kind)
    server.bind(("0.0.0.0", int(port or 0)))
    if kind == "tcp":
        server.listen()
    return server


def _is_answered(address: str, seconds: float, probe: str) -> bool:
    kind, _, port = probe.partition("/")
    with closing(_socket(kind)) as client:
        client.settimeout(seconds)
        try:
            if kind == "tcp":
                client.connect((address, int(port)))
                return True
            client.sendto(_echo_request() if kind == "icmp" else b"question", (address, int(port or 0)))
            while True:
                packet, (sender, *_) = client.recvfrom(2048)
                # A raw socket shows the header of 20 bytes too, and the answers to everybody else.
                if sender == address and (kind != "icmp" or packet[20] == _ECHO_REPLY):
                    return True
        except OSError:
            return False


def _echo_request() -> bytes:
    fields = (_ECHO_REQUEST, 0, 0, os.getpid() & 0xFFFF, 1)
    total = sum(struct.unpack("!4H", struct.pack("!BBHHH", *fields)))
    total = (total >> 16) + (total & 0xFFFF)
    return struct.pack("!BBHHH", _ECHO_REQUEST, 0, ~total & 0xFFFF, *fields[3:])


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2:])
    print(*reach(sys.argv[2], float(sys.argv[3]), sys.argv[4:]), sep="\n")
