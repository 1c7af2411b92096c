"""What a replica says about its index and its store: a short disturbance is no reason to refuse transfers."""

from types import SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry, Gauge

from file_transfer import health, healthcheck
from file_transfer.chunks import StorageUnavailableError
from file_transfer.health import Check


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def monotonic(self) -> float:
        return self.seconds


class Store:
    """Something to check, which fails or not."""

    def __init__(self) -> None:
        self.is_up = True

    def check(self) -> None:
        if not self.is_up:
            raise StorageUnavailableError("it is down")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(health, "time", clock)
    return clock


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def check(clock: Clock, store: Store) -> Check:  # noqa: ARG001 - the check's time
    return Check(store.check, Gauge("up", "", registry=CollectorRegistry()))


def test_what_was_never_checked_or_fails_at_first_is_a_failure(check: Check, store: Store) -> None:
    assert check.failure() == "it has not been checked yet"

    store.is_up = False
    check.look()

    assert check.failure() == "it is down"


def test_a_failure_counts_when_it_has_lasted_for_some_seconds(check: Check, store: Store, clock: Clock) -> None:
    check.look()
    store.is_up = False
    found = []
    for _ in range(6):
        clock.seconds += 1
        check.look()
        found.append(check.failure())

    assert found == ["", "", "", "", "it is down", "it is down"]

    store.is_up = True
    check.look()
    assert check.failure() == ""


def test_short_failures_one_after_the_other_do_not_add_up(check: Check, store: Store, clock: Clock) -> None:
    for is_up in [True, False, False, True, False, False, True, False, False]:
        store.is_up = is_up
        clock.seconds += 1
        check.look()

    assert check.failure() == ""


def test_a_check_that_hangs_is_a_failure(check: Check, clock: Clock) -> None:
    check.look()
    clock.seconds += 11

    assert check.failure() == "no answer for 11 s"


def test_a_containers_check_waits_as_long_as_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    class Silent:
        def __init__(self, *_: object, timeout: float) -> None:
            waited.append(timeout)

        def request(self, *_: object) -> None:
            raise TimeoutError

    monkeypatch.setattr(healthcheck, "HTTPConnection", Silent)
    monkeypatch.setattr(healthcheck.settings, "load", lambda: SimpleNamespace(status_port=8081))

    assert healthcheck.main(12.0) == 1
    assert waited == [12.0]
