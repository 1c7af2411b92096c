"""Asks the swarm's manager about the services that threads wait for: one login asks about all of them."""

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from functools import cache
from typing import Any, NamedTuple

from . import json_documents
from .commands import inspect_services
from .ssh import SshTarget, ask

POLL_SECONDS = 1.0
_PAUSE_FACTOR = 2
"""The pause after a login is at least this many times as long as the login took, so that a slow manager can work."""

Document = Mapping[str, Any]


class Deployed(NamedTuple):
    """The Engine API's documents of a service, of its tasks, and of all nodes; `service` is empty if there is none."""

    service: Document
    tasks: Sequence[Document]
    nodes: Sequence[Document]


class Pace:
    """Leaves pauses between the requests to one host: the slower it answers, the longer they are."""

    def __init__(self) -> None:
        self._resume = 0.0

    def __enter__(self) -> None:
        """Wait until the next request may begin."""
        time.sleep(max(self._resume - time.monotonic(), 0))
        self._began = time.monotonic()

    def __exit__(self, *_: object) -> None:
        """Note how long the request took."""
        now = time.monotonic()
        self._resume = now + max(POLL_SECONDS, _PAUSE_FACTOR * (now - self._began))


class Questions:
    """Asks about services for many threads. Those that come during a login or a pause share the next login."""

    def __init__(self, manager: SshTarget) -> None:
        self._manager = manager
        self._asking = threading.Lock()
        self._pace = Pace()
        self._collecting = threading.Lock()
        self._open: dict[str, Future[Deployed]] = {}

    def ask(self, service: str) -> Deployed:
        """Return the manager's answer about the service, which was given after this call began.

        Raises:
            SshError: the manager cannot be asked.
        """
        with self._collecting:
            question = self._open.setdefault(service, Future())
        with self._asking:
            if not question.done():
                self._ask_for_all()
        return question.result()

    def _ask_for_all(self) -> None:
        with self._pace:
            with self._collecting:
                questions, self._open = self._open, {}
            try:
                answers = _parse(questions, ask(self._manager, inspect_services(questions)))
            except Exception as error:  # noqa: BLE001 - every thread that waits for an answer raises it
                for question in questions.values():
                    question.set_exception(error)
                return
        for name, question in questions.items():
            question.set_result(answers[name])


def _parse(names: Iterable[str], text: str) -> dict[str, Deployed]:
    """Return what the script's output says about each service."""
    services, tasks, nodes = json_documents.parse(text)
    found = {service["Spec"]["Name"]: service for service in services}
    answers = {}
    for name in names:
        service = found.get(name, {})
        own = [task for task in tasks if task["ServiceID"] == service.get("ID")]
        answers[name] = Deployed(service, own, nodes)
    return answers


@cache
def questions_to(manager: SshTarget) -> Questions:
    """Return the one `Questions` that all threads share for this manager."""
    return Questions(manager)
