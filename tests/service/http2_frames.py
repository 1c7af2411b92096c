"""HTTP/2 frames (RFC 9113) written by hand, since no client sends what these tests need."""

import socket
import ssl
from contextlib import suppress

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, CONTINUATION = 0, 1, 3, 4, 6, 9
END_STREAM, END_HEADERS = 1, 4


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def literal(name: bytes, value: bytes, *, indexed: bool = False) -> bytes:
    """A header that is not in HPACK's static table; an indexed one is added to the dynamic table."""
    return bytes([0x40 if indexed else 0]) + _text(name) + _text(value)


def request(method: bytes, path: bytes) -> bytes:
    """The header block of a request."""
    authority, scheme = literal(b":authority", b"x"), b"\x87"
    return literal(b":method", method) + scheme + literal(b":path", path) + authority


def connect(port: int, source: str) -> socket.socket:
    """A connection by TLS that speaks HTTP/2, and has sent its preface."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    plain = socket.create_connection(("127.0.0.1", port), timeout=10, source_address=(source, 0))
    connection = context.wrap_socket(plain)
    assert connection.selected_alpn_protocol() == "h2"
    connection.sendall(PREFACE + frame(SETTINGS, 0, 0))
    return connection


def send(connection: socket.socket, sent: bytes) -> None:
    """Send as much as the other side takes."""
    with suppress(OSError):
        connection.sendall(sent)


class Frames:
    """The frames that arrive on a connection, as (kind, flags, stream)."""

    def __init__(self, connection: socket.socket) -> None:
        self._file = connection.makefile("rb")

    def next(self) -> tuple[int, int, int] | None:
        """The next frame; None at the end of the connection."""
        try:
            head = self._file.read(9)
        except ConnectionError:
            return None
        if len(head) < 9:
            return None
        self._file.read(int.from_bytes(head[:3], "big"))
        return head[3], head[4], int.from_bytes(head[5:], "big")


def _text(text: bytes) -> bytes:
    """Text with its length, an integer with a prefix of 7 bits (RFC 7541, 5.1)."""
    length = len(text)
    if length < 127:
        return bytes([length]) + text
    encoded, length = bytearray([127]), length - 127
    while length >= 128:
        encoded.append(length % 128 + 128)
        length //= 128
    encoded.append(length)
    return bytes(encoded) + text
