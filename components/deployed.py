"""What the swarm's manager says of the services that are waited for: one login asks for all of them."""

import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from functools import cache
from typing import Any, NamedTuple

from . import json_documents
from .commands import inspect_services
from .ssh import SshTarget, ask

POLL_SECONDS = 1.0
_REST = 2
"""How many times as long as a login took is the pause after it: a slow manager has its own work to do meanwhile."""

Document = Mapping[str, Any]


class Deployed(NamedTuple):
    """The Engine API's documents of a service, of its tasks, and of all nodes; `service` is empty if there is none."""

    service: Document
    tasks: Sequence[Document]
    nodes: Sequence[Document]


class Pace:
    """Keeps requests to one host apart, the more the slower it answers."""

    def __init__(self) -> None:
        self._resume = 0.0

    def __enter__(self) -> None:
        """Wait until the next request may begin."""
        time.sleep(max(self._resume - time.monotonic(), 0))
        self._began = time.monotonic()

    def __exit__(self, *_: object) -> None:
        """Note how long the request took."""
        now = time.monotonic()
        self._resume = now + max(POLL_SECONDS, _REST * (now - self._began))


class Questions:
    """Collects the services that are asked for, while the manager is asked for others or rests."""

    def __init__(self, manager: SshTarget) -> None:
        self._manager = manager
        self._asking = threading.Lock()
        self._pace = Pace()
        self._collecting = threading.Lock()
        self._open: dict[str, Future[Deployed]] = {}

    def ask(self, service: str) -> Deployed:
        """Return what the manager says of the service from now on.

        Raises:
            SshError: the manager cannot be asked.
        """
        with self._collecting:
            answer = self._open.setdefault(service, Future())
        with self._asking:
            if not answer.done():
                self._ask_for_all()
        return answer.result()

    def _ask_for_all(self) -> None:
        with self._pace:
            with self._collecting:
                questions, self._open = self._open, {}
            try:
                services, tasks, nodes = json_documents.parse(ask(self._manager, inspect_services(questions)))
            except Exception as error:  # noqa: BLE001 - every thread that waits for an answer raises it
                for answer in questions.values():
                    answer.set_exception(error)
                return
        found = {service["Spec"]["Name"]: service for service in services}
        for name, answer in questions.items():
            service = found.get(name, {})
            own = [task for task in tasks if task["ServiceID"] == service.get("ID")]
            answer.set_result(Deployed(service, own, nodes))


@cache
def questions_to(manager: SshTarget) -> Questions:
    """Return what all threads that wait for services of this manager share."""
    return Questions(manager)
