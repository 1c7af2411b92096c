"""The servers that are compared: how to start each on loopback, and how to upload and download a file."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench import peer_programs

SERVICE = Path(__file__).parent.parent / "services" / "file_transfer"
CLIENT = Path(__file__).parent.parent / "clients" / "file_transfer"

_NGINX = """daemon off;
worker_processes auto;
user root;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 768; }}
http {{
  sendfile on;
  tcp_nopush on;
  access_log {folder}/access.log;
  client_max_body_size 0;
  {temporary}
  server {{
    listen 127.0.0.1:{port};
    root {data};
    dav_methods PUT;
    client_body_temp_path {folder}/bodies;
  }}
}}
"""


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A server. `command` returns its command line for a working folder, whose folder `data` is for files, and a port.

    A file is downloaded from `path` followed by its name. It is uploaded there with PUT or, if `form_field` is set, as
    that field of a form to the path `form`, in which `{name}` stands for the file's name.
    """

    name: str
    command: Callable[[Path, int], list[str]]
    path: str = "/"
    form: str = ""
    form_field: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)

    def upload(self, url: str, file: Path, name: str) -> list[str]:
        """Return curl's arguments that upload the file.

        With PUT, "Expect: 100-continue" is switched off, because some servers never answer it.
        """
        if self.form_field:
            return ["-F", f"{self.form_field}=@{file};filename={name}", f"{url}{self.form.format(name=name)}"]
        return ["-H", "Expect:", "-T", str(file), f"{url}{self.path}{name}"]


def ours() -> Peer:
    """Return the file service, which keeps files in a directory."""
    return Peer(
        name="ours",
        command=lambda folder, port: [
            "env", f"FILE_TRANSFER_DATA={folder / 'data'}", f"FILE_TRANSFER_PORT={port}",
            f"FILE_TRANSFER_STATUS_PORT={port + 1}",
            "FILE_TRANSFER_DRAIN_SECONDS=0", sys.executable, "-m", "file_transfer",
        ],
        environment={"PYTHONPATH": str(SERVICE)},
        path="/files/",
    )  # fmt: skip


def all_peers() -> list[Peer]:
    """Return all servers, ours first, after installing those that are missing."""
    dufs, weed, nginx = peer_programs.dufs(), peer_programs.WEED, peer_programs.nginx()
    uploadserver, copyparty = (peer_programs.python_with(name) for name in ("uploadserver", "copyparty"))
    return [
        ours(),
        Peer(
            name="nginx",
            command=lambda folder, port: [
                str(nginx), "-e", str(folder / "error.log"), "-c", str(_nginx_conf(folder, port)),
            ],
        ),
        Peer(
            name="dufs",
            command=lambda folder, port: [str(dufs), "-A", "-b", "127.0.0.1", "-p", str(port), str(folder / "data")],
        ),
        Peer(
            name="copyparty",
            command=lambda folder, port: [
                str(copyparty), "-m", "copyparty", "-q", "-i", "127.0.0.1", "-p", str(port),
                "-v", f"{folder / 'data'}::A",
            ],
        ),
        Peer(
            name="uploadserver",
            command=lambda folder, port: [
                str(uploadserver), "-m", "uploadserver", "-b", "127.0.0.1", "-d", str(folder / "data"), str(port),
            ],
            form="/upload",
            form_field="files",
        ),
        Peer(
            name="seaweedfs",
            command=lambda folder, port: [
                str(weed), "-logtostderr=true", "server", f"-dir={folder / 'data'}", "-ip=127.0.0.1",
                "-ip.bind=127.0.0.1", f"-master.port={port + 1}", f"-volume.port={port + 2}", "-volume.max=20",
                "-master.volumeSizeLimitMB=1024", "-filer", f"-filer.port={port}",
            ],
            form="/{name}",
            form_field="file",
        ),
    ]  # fmt: skip


def environment(peer: Peer, folder: Path) -> dict[str, str]:
    """Return the environment of the peer's process. Its home and configuration are in its working folder."""
    return {**os.environ, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder), **peer.environment}


def _nginx_conf(folder: Path, port: int) -> Path:
    kinds = ("proxy", "fastcgi", "uwsgi", "scgi")
    temporary = " ".join(f"{kind}_temp_path {folder / kind};" for kind in kinds)
    path = folder / "nginx.conf"
    path.write_text(_NGINX.format(folder=folder, data=folder / "data", port=port, temporary=temporary))
    return path
