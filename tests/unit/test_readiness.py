"""When a service is ready, when the program waits for it, and when it has failed."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from recorder import inputs_of

from components import deployed, readiness
from components.readiness import VERSION, ServiceNotReadyError, Verdict
from components.ssh import SshError, SshTarget


@pytest.fixture(autouse=True)
def no_pause_after_another_test() -> None:
    deployed.questions_to.cache_clear()


def spec(version: str) -> dict[str, Any]:
    return {
        "ContainerSpec": {"Image": "x", "Command": ["env", f"{VERSION}={version}", "A=1", "program"]},
        "ForceUpdate": 0,
    }


NEW, OLD = spec("v1"), spec("v0")


def service(mode: dict[str, Any], update: str | None = None, constraints: list[str] | None = None) -> dict[str, Any]:
    template = {**NEW, "Runtime": "container"}
    if constraints:
        template["Placement"] = {"Constraints": constraints}
    return {
        "Spec": {"Mode": mode, "TaskTemplate": template},
        "UpdateStatus": {"State": update, "Message": "why"} if update else None,
    }


def judge(*documents: Any, version: str = "v1") -> Verdict:
    return readiness.judge(*documents, version=version)


def replicated(count: int, update: str | None = None) -> dict[str, Any]:
    return service({"Replicated": {"Replicas": count}}, update)


def task(
    state: str, *, slot: int = 1, spec: dict[str, Any] = NEW, wanted: str = "running", error: str = ""
) -> dict[str, Any]:
    return {
        "ID": f"task-{slot}",
        "Slot": slot,
        "NodeID": "n1",
        "Spec": spec,
        "DesiredState": wanted,
        "Status": {"State": state, "Err": error},
        "UpdatedAt": "2026-01-01T00:00:00Z",
    }


def node(identifier: str, state: str = "ready", availability: str = "active", role: str = "worker") -> dict[str, Any]:
    return {
        "ID": identifier,
        "Description": {"Hostname": f"host-{identifier}", "Platform": {"OS": "linux"}},
        "Spec": {"Availability": availability, "Role": role, "Labels": {"disk": "ssd"}},
        "Status": {"State": state},
    }


def printed(services: dict[str, dict[str, Any]], tasks: list[dict[str, Any]]) -> str:
    """Return what a manager prints of these services, by name. The tasks belong to the first one."""
    named = [{**found, "ID": f"id-{name}", "Spec": {**found["Spec"], "Name": name}} for name, found in services.items()]
    owned = [{**found, "ServiceID": named[0]["ID"]} for found in tasks]
    return "\n".join(json.dumps(document) for document in (named, owned, [node("n1")]))


def test_ready_when_every_replica_of_the_newest_version_runs() -> None:
    assert judge(replicated(2), [task("running", slot=1), task("running", slot=2)], []).state == "ready"


@pytest.mark.parametrize(
    "tasks",
    [
        [],
        [task("running")],
        [task("running"), task("starting", slot=2)],
        [task("running"), task("running", slot=2, spec=OLD)],
        [task("running"), task("running", slot=2), task("running", slot=2, spec=OLD)],
        [task("running"), task("running", slot=2, wanted="shutdown")],
    ],
    ids=["none yet", "one", "one starting", "one old", "an old one left over", "one shutting down"],
)
def test_waiting_while_a_replica_is_missing_or_old(tasks: list[dict[str, Any]]) -> None:
    assert judge(replicated(2), tasks, []).state == "waiting"


@pytest.mark.parametrize("state", ["updating", "rollback_started"])
def test_waiting_while_an_update_or_rollback_to_the_wanted_version_is_running(state: str) -> None:
    assert judge(replicated(1, state), [task("running")], []).state == "waiting"


@pytest.mark.parametrize("state", ["rollback_started", "rollback_paused", "rollback_completed"])
def test_failed_when_another_version_is_deployed_after_a_rollback(state: str) -> None:
    verdict = judge(replicated(1, state), [task("running")], [], version="v2")

    assert verdict.state == "failed"
    assert state in verdict.reason


def test_ready_when_the_rollback_restored_the_wanted_version() -> None:
    assert judge(replicated(1, "rollback_completed"), [task("running")], []).state == "ready"


def test_failed_when_somebody_else_changed_it() -> None:
    assert "changed by somebody else" in judge(replicated(1), [task("running")], [], version="v2").reason


@pytest.mark.parametrize("state", ["paused", "rollback_paused"])
def test_failed_when_the_update_is_paused(state: str) -> None:
    verdict = judge(replicated(1, state), [task("running")], [])

    assert verdict.state == "failed"
    assert state in verdict.reason


def test_failed_after_four_failures_in_one_slot() -> None:
    tasks = [task("failed", wanted="shutdown") for _ in range(4)]

    assert judge(replicated(1), tasks[:3], []).state == "waiting"
    assert judge(replicated(1), tasks, []).state == "failed"


def test_changes_that_docker_makes_to_a_task_do_not_change_its_version() -> None:
    """The platforms in a task specification are filled in when a service is created but not when it is updated."""
    created = {**NEW, "Placement": {"Platforms": [{"Architecture": "amd64", "OS": "linux"}]}}

    assert judge(replicated(1), [task("running", spec=created)], []).state == "ready"


def test_failed_when_the_service_has_no_version() -> None:
    foreign = replicated(1)
    foreign["Spec"]["TaskTemplate"] = {"ContainerSpec": {"Image": "x"}}

    assert judge(foreign, [task("running")], []).state == "failed"


def test_failures_of_an_older_version_do_not_count() -> None:
    assert judge(replicated(1), [task("failed", spec=OLD, wanted="shutdown")] * 9, []).state == "waiting"


def test_a_global_service_needs_a_task_on_every_active_node() -> None:
    everywhere = service({"Global": {}})
    nodes = [node("a"), node("b"), node("down", state="down"), node("drained", availability="drain")]

    assert judge(everywhere, [task("running", slot=0)], nodes).state == "waiting"
    assert judge(everywhere, [task("running", slot=0), task("running", slot=0)], nodes).state == "ready"


@pytest.mark.parametrize(
    ("constraint", "wanted"),
    [
        ("node.role==manager", 1),
        ("node.role != manager", 1),
        ("node.labels.disk==ssd", 2),
        ("node.hostname==host-b", 1),
        ("node.platform.os==linux", 2),
    ],
)
def test_a_global_service_needs_tasks_only_on_nodes_that_meet_its_constraints(constraint: str, wanted: int) -> None:
    template = service({"Global": {}}, constraints=[constraint])
    tasks = [task("running", slot=0, spec=template["Spec"]["TaskTemplate"])] * wanted

    verdict = judge(template, tasks, [node("a", role="manager"), node("b")])

    assert verdict.reason == f"{wanted} of {wanted} tasks run"


def test_the_error_has_the_tasks_errors_and_the_last_log_lines(
    monkeypatch: pytest.MonkeyPatch, target: SshTarget
) -> None:
    failing = [task("rejected", wanted="shutdown", error="No such image: x")] * 4
    documents = printed({"edge": replicated(1)}, failing)
    monkeypatch.setattr(deployed, "ask", lambda *_: documents)
    monkeypatch.setattr(readiness, "ask", lambda *_: "the last log line")

    with pytest.raises(ServiceNotReadyError) as raised:
        readiness.wait(target, "edge", version="v1", timeout=60)

    assert "service edge does not run as configured: 0 of 1 tasks run" in str(raised.value)
    assert "host-n1: rejected: No such image: x" in str(raised.value)
    assert "the last log line" in str(raised.value)
    assert "pulumi up --refresh" in str(raised.value)


def test_a_service_that_does_not_exist_any_more_has_failed(monkeypatch: pytest.MonkeyPatch, target: SshTarget) -> None:
    monkeypatch.setattr(deployed, "ask", lambda *_: printed({"edge-of-somebody": replicated(1)}, [task("running")]))
    monkeypatch.setattr(readiness, "ask", lambda *_: "")

    with pytest.raises(ServiceNotReadyError, match="service edge does not run as configured: it does not exist"):
        readiness.wait(target, "edge", version="v1", timeout=60)


def test_one_login_asks_for_all_services_that_are_waited_for(
    monkeypatch: pytest.MonkeyPatch, target: SshTarget
) -> None:
    """The first one asks for itself. Those that begin to wait meanwhile are asked for together."""
    names = {"edge", "files", "prometheus"}
    scripts: list[str] = []
    first, others = threading.Event(), threading.Event()

    def ask(_: SshTarget, script: str) -> str:
        scripts.append(script)
        first.set()
        assert others.wait(30)
        return printed(dict.fromkeys(["alertmanager", *names], replicated(0)), [])

    monkeypatch.setattr(deployed, "ask", ask)
    monkeypatch.setattr(deployed, "POLL_SECONDS", 0)
    questions = deployed.Questions(target)

    with ThreadPoolExecutor() as pool:
        early = pool.submit(questions.ask, "alertmanager")
        assert first.wait(30)
        late = {name: pool.submit(questions.ask, name) for name in names}
        deadline = time.monotonic() + 30
        while questions._open.keys() < names:
            assert time.monotonic() < deadline
        others.set()
        assert early.result().service["Spec"]["Name"] == "alertmanager"
        assert {name: asked.result().service["Spec"]["Name"] for name, asked in late.items()} == {n: n for n in names}

    alone, together = (inputs_of(script)[0] for script in scripts)
    assert json.loads(alone["TASKS"]) == {"name": {"alertmanager.": True}}
    assert json.loads(together["SERVICES"]) == {"name": dict.fromkeys(sorted(names), True)}
    assert json.loads(together["TASKS"]) == {"name": {f"{name}.": True for name in sorted(names)}}


def test_a_manager_that_cannot_be_asked_is_the_reason_for_all(
    monkeypatch: pytest.MonkeyPatch, target: SshTarget
) -> None:
    def ask(*_: object) -> str:
        raise SshError("no answer within 60 s")

    monkeypatch.setattr(deployed, "ask", ask)
    monkeypatch.setattr(readiness, "ask", ask)

    with pytest.raises(ServiceNotReadyError, match=r"master: no answer within 60 s(.|\n)*cannot be read: no answer"):
        readiness.wait(target, "edge", version="v1", timeout=-1)


def test_an_answer_that_is_not_understood_is_an_error_for_all(
    monkeypatch: pytest.MonkeyPatch, target: SshTarget
) -> None:
    monkeypatch.setattr(deployed, "ask", lambda *_: '[{"Spec": {}}] [] []')

    with pytest.raises(KeyError):
        readiness.wait(target, "edge", version="v1", timeout=60)


def test_a_manager_that_is_slow_to_answer_has_longer_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    now, pauses = [100.0], []
    clock = SimpleNamespace(monotonic=lambda: now[0], sleep=pauses.append)
    monkeypatch.setattr(deployed, "time", clock)
    pace = deployed.Pace()

    for seconds in (0.1, 7, 0):
        with pace:
            now[0] += seconds

    assert pauses == [0, 1, 14]


def test_urls_are_requested_until_all_answer(monkeypatch: pytest.MonkeyPatch, target: SshTarget) -> None:
    answers = iter(["http://a\nhttp://b\n", "http://b\n", ""])
    monkeypatch.setattr(deployed, "POLL_SECONDS", 0)
    monkeypatch.setattr(readiness, "ask", lambda *_, **__: next(answers))

    readiness.wait_for_answers(target, ["http://a", "http://b"], timeout=60)

    assert list(answers) == []


def test_urls_that_do_not_answer_in_time_are_named(monkeypatch: pytest.MonkeyPatch, target: SshTarget) -> None:
    monkeypatch.setattr(readiness, "ask", lambda *_, **__: "http://b\n")

    with pytest.raises(ServiceNotReadyError, match="no answer from http://b:"):
        readiness.wait_for_answers(target, ["http://a", "http://b"], timeout=-1)


def test_a_refused_login_is_retried(monkeypatch: pytest.MonkeyPatch, target: SshTarget) -> None:
    answers = iter([SshError("kex_exchange_identification: Connection reset"), ""])

    def ask(*_: object, **__: object) -> str:
        answer = next(answers)
        if isinstance(answer, SshError):
            raise answer
        return answer

    monkeypatch.setattr(deployed, "POLL_SECONDS", 0)
    monkeypatch.setattr(readiness, "ask", ask)

    readiness.wait_for_answers(target, ["http://a"], timeout=60)

    assert list(answers) == []


def test_a_manager_that_cannot_be_reached_in_time_is_named(monkeypatch: pytest.MonkeyPatch, target: SshTarget) -> None:
    def ask(*_: object, **__: object) -> str:
        raise SshError("no answer within 35 s")

    monkeypatch.setattr(readiness, "ask", ask)

    with pytest.raises(ServiceNotReadyError, match=r"master, .* cannot be asked: no answer within 35 s"):
        readiness.wait_for_answers(target, ["http://a"], timeout=-1)
