"""Call the Docker Engine API of a remote host through ssh."""

import json
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import requests
import urllib3.exceptions
from docker.transport import UnixHTTPAdapter

from lab.plugins.serve import ProviderError

_CONNECT_SECONDS = 60


class EngineError(ProviderError):
    """The Engine refused. The message is the Engine's, and `status` is the HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"Error response from daemon: {message}")
        self.status = status


class EngineApi:
    """A connection to one host's Engine, opened when it is first needed. It ends with this process."""

    def __init__(self, host: str, ssh_options: Sequence[str]) -> None:
        self._target = host.removeprefix("ssh://")
        self._ssh_options = list(ssh_options)
        self._folder = tempfile.TemporaryDirectory(prefix="engine-")
        self._socket = Path(self._folder.name) / "docker.sock"
        self._lock = threading.Lock()
        self._tunnel: subprocess.Popen[bytes] | None = None

    def call(self, method: str, path: str, *, timeout: float | None = 120, **request: Any) -> Any:  # noqa: ANN401 - JSON
        """Call the API and return its document; None if there is none.

        Raises:
            EngineError: the Engine refused.
            ProviderError: the host cannot be reached.
            TimeoutError: `timeout` seconds went by without a byte of the answer.
        """
        try:
            return _document(self._request(method, path, timeout=timeout, **request))
        except requests.exceptions.RequestException as error:
            # The Engine sends its headers at once. After them, requests reports a timeout by another class.
            if error.args and isinstance(error.args[0], urllib3.exceptions.ReadTimeoutError):
                raise TimeoutError(f"{method} {path}: no answer for {timeout} s") from error
            raise

    def find(self, path: str) -> Any:  # noqa: ANN401 - JSON
        """Return the document at the path; None if there is none. Raises the same errors as `call`."""
        try:
            return self.call("GET", path)
        except EngineError as error:
            if error.status == requests.codes.not_found:
                return None
            raise

    def build(self, context: Any, parameters: dict[str, str]) -> None:  # noqa: ANN401 - a file object with a tar
        """Build an image from a tar of its context."""
        headers = {"Content-Type": "application/x-tar"}
        answer = self._request(
            "POST", "/build", params=parameters, data=context, headers=headers, stream=True, timeout=None
        )
        _follow(answer)

    def push(self, path: str, headers: dict[str, str]) -> None:
        """Push an image, and wait until it is done."""
        _follow(self._request("POST", path, headers=headers, stream=True, timeout=None))

    def _request(self, method: str, path: str, **request: Any) -> requests.Response:  # noqa: ANN401 - as requests'
        self._open()
        # Calls come from several threads, so each has its own session.
        with requests.Session() as session:
            session.mount("http+docker://", UnixHTTPAdapter(f"http+unix://{self._socket}"))
            answer = session.request(method, f"http+docker://localhost{path}", **request)
            if not answer.ok:
                raise EngineError(answer.status_code, _message(answer))
            if not request.get("stream"):
                return answer
            _ = answer.content  # read it all before the session ends
            return answer

    def _open(self) -> None:
        with self._lock:
            if self._tunnel and self._tunnel.poll() is None:
                return
            self._socket.unlink(missing_ok=True)
            # `cat` ends when our end of the pipe closes, so the tunnel never outlives the plugin.
            command = [
                "ssh", *self._ssh_options, "-T", "-o", "ExitOnForwardFailure=yes",
                "-L", f"{self._socket}:/var/run/docker.sock", self._target, "cat",
            ]  # fmt: skip
            self._tunnel = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
            )
            deadline = time.monotonic() + _CONNECT_SECONDS
            while not _listens(self._socket):
                if self._tunnel.poll() is not None or time.monotonic() > deadline:
                    self._tunnel.kill()
                    reason = self._tunnel.communicate()[1].decode(errors="replace").strip()
                    raise ProviderError(f"cannot connect to the Docker daemon at ssh://{self._target}: {reason}")
                time.sleep(0.02)


def retry_while(words: Sequence[str], action: Callable[[], object], *, seconds: float = 30) -> None:
    """Repeat an action while the Engine's refusal contains one of these words, as the real provider does."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            action()
        except EngineError as error:
            if time.monotonic() > deadline or not any(word in str(error) for word in words):
                raise
            time.sleep(0.5)
        else:
            return


def _listens(path: Path) -> bool:
    """Return whether the socket accepts connections. Its file exists a moment earlier."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def _document(answer: requests.Response) -> Any:  # noqa: ANN401 - JSON
    return answer.json() if answer.content else None


def _message(answer: requests.Response) -> str:
    try:
        return str(answer.json()["message"])
    except (ValueError, KeyError):
        return answer.text.strip() or f"status {answer.status_code}"


def _follow(answer: requests.Response) -> None:
    """Read the Engine's progress messages, and raise the error among them with the end of the output."""
    output: list[str] = []
    for line in answer.text.splitlines():
        message = json.loads(line)
        if "error" in message:
            raise ProviderError(f"{message['error']}\n{''.join(output)[-4000:]}")
        output.append(message.get("stream", ""))
