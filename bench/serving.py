"""Runs a server on loopback while it is measured."""

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import peers
from bench.peers import Peer


@contextmanager
def serving(peer: Peer, folder: Path) -> Iterator[tuple[str, int]]:
    """Start the server, yield its URL and process id once it answers, and stop it at the end."""
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            peer.command(folder, port), env=peers.environment(peer, folder), cwd=folder, stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + 60
        while not _answers(f"{url}/"):
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"{peer.name} does not start:\n{(folder / 'log').read_text()[-3000:]}")
            time.sleep(0.1)
        yield url, process.pid
    finally:
        process.terminate()
        process.wait(timeout=60)


def _answers(url: str) -> bool:
    """Return whether the URL answers, with any status."""
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def _free_port() -> int:
    """Return a free port.

    The next two ports, and all three plus 10,000, are free as well, because SeaweedFS uses them.

    Raises:
        OSError: there is no such port.
    """
    for port in range(18000, 30000, 7):
        try:
            for number in (*range(port, port + 3), *range(port + 10000, port + 10003)):
                with socket.socket() as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind(("127.0.0.1", number))
        except OSError:
            continue
        return port
    raise OSError("no port from 18000 to 30000 is free")
