"""Tables of properties: what is refused, what replaces, and that a document survives the way there and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.plugins.docker.service_shape import SERVICE
from lab.plugins.shape import Duration, Environment, Field, Many, Shape
from lab.plugins.values import UNKNOWN

FULL_SERVICE = {
    "name": "edge",
    "labels": [{"label": "a", "value": "1"}],
    "mode": {"replicated": {"replicas": 3}},
    "taskSpec": {
        "containerSpec": {
            "image": "x@sha256:0",
            "args": ["-x"],
            "commands": ["run", "it"],
            "capDrops": ["ALL"],
            "configs": [
                {
                    "configId": "c1",
                    "configName": "c",
                    "fileName": "/etc/x",
                    "fileUid": "0",
                    "fileGid": "0",
                    "fileMode": 292,
                }
            ],
            "secrets": [
                {"secretId": "s1", "secretName": "s", "fileName": "x", "fileUid": "9", "fileGid": "9", "fileMode": 256}
            ],
            "env": {"A": "1", "B": "x=y"},
            "healthcheck": {
                "tests": ["CMD", "true"],
                "interval": "5s",
                "timeout": "3s",
                "startPeriod": "20s",
                "retries": 3,
            },
            "init": True,
            "mounts": [
                {"type": "volume", "source": "files", "target": "/data"},
                {"type": "tmpfs", "target": "/tmp", "tmpfsOptions": {"mode": 1023, "sizeBytes": 1024}},
            ],
            "readOnly": True,
            "stopGracePeriod": "30s",
            "user": "99:99",
        },
        "logDriver": {"name": "json-file", "options": {"max-size": "10m"}},
        "networksAdvanceds": [{"id": "n1"}],
        "placement": {"constraints": ["node.role==manager"]},
        "resources": {
            "limits": {"memoryBytes": 2**28, "nanoCpus": 10**9},
            "reservation": {"memoryBytes": 2**26, "nanoCpus": 10**8},
        },
        "restartPolicy": {"condition": "any", "delay": "2s", "window": "30s"},
    },
    "endpointSpec": {
        "mode": "dnsrr",
        "ports": [{"name": "p", "protocol": "tcp", "publishMode": "host", "publishedPort": 5001, "targetPort": 5001}],
    },
    "updateConfig": {"parallelism": 1, "order": "stop-first", "monitor": "5s", "failureAction": "rollback"},
    "rollbackConfig": {"parallelism": 1, "order": "stop-first", "monitor": "5s", "failureAction": "pause"},
}


def test_a_whole_service_survives_the_way_to_the_engine_and_back() -> None:
    document = SERVICE.to_api(FULL_SERVICE)

    assert SERVICE.failures(FULL_SERVICE) == []
    assert document["TaskTemplate"]["ContainerSpec"]["Healthcheck"]["Interval"] == 5_000_000_000
    assert document["TaskTemplate"]["ContainerSpec"]["Env"] == ["A=1", "B=x=y"]
    assert document["EndpointSpec"]["Ports"][0]["PublishMode"] == "host"
    assert SERVICE.from_api(document) == FULL_SERVICE
    assert SERVICE.seen(FULL_SERVICE, SERVICE.from_api(document)) == FULL_SERVICE


def test_what_the_engine_adds_is_no_drift_and_what_somebody_changed_is() -> None:
    live = SERVICE.from_api(
        {**SERVICE.to_api(FULL_SERVICE), "Mode": {"Replicated": {"Replicas": 9}}, "Labels": {"a": "1"}}
    )
    live["taskSpec"]["runtime"] = "container"

    seen = SERVICE.seen(FULL_SERVICE, live)

    assert seen == {**FULL_SERVICE, "mode": {"replicated": {"replicas": 9}}}


def test_durations_written_otherwise_are_no_drift() -> None:
    shape = Shape("x", {"delay": Field("Delay", Duration())})

    assert shape.seen({"delay": "90s"}, {"delay": "1m30s"}) == {"delay": "90s"}
    assert shape.seen({"delay": "90s"}, {"delay": "2m0s"}) == {"delay": "2m0s"}


@pytest.mark.parametrize(
    ("change", "where", "reason"),
    [
        ({"converge": {}}, "converge", "service has no property «converge»"),
        ({"taskSpec": {"containerSpec": {"image": "x", "imagee": 1}}}, "taskSpec.containerSpec.imagee", "no property"),
        ({"taskSpec": {"containerSpec": {}}}, "taskSpec.containerSpec.image", "needs the property «image»"),
        ({"endpointSpec": {"ports": [{}]}}, "endpointSpec.ports[0].targetPort", "needs the property «targetPort»"),
        ({"taskSpec": []}, "taskSpec.", "takes an object"),
    ],
)
def test_unknown_and_missing_properties_are_named(change: dict[str, object], where: str, reason: str) -> None:
    ((path, text),) = SERVICE.failures({**FULL_SERVICE, **change})

    assert path == where
    assert reason in text


def test_what_is_not_known_yet_is_not_refused() -> None:
    assert SERVICE.failures({"taskSpec": UNKNOWN}) == []
    assert SERVICE.failures({"taskSpec": {"containerSpec": {"image": UNKNOWN}}}) == []


def changed(**top: object) -> dict[str, object]:
    return {**FULL_SERVICE, **top}


@pytest.mark.parametrize(
    ("after", "replaces"),
    [
        (changed(mode={"replicated": {"replicas": 4}}), False),
        (changed(mode={"global": True}), True),
        (changed(name="other"), True),
        (changed(labels=[]), False),
        (changed(updateConfig={"parallelism": 2}), False),
        (changed(endpointSpec={"mode": "vip"}), False),
        (changed(taskSpec={"containerSpec": {"image": "y"}, "networksAdvanceds": [{"id": "n1"}]}), False),
        (changed(taskSpec={**FULL_SERVICE["taskSpec"], "networksAdvanceds": [{"id": "n2"}]}), True),
    ],
    ids=["scaled", "global", "renamed", "labels", "update", "endpoint", "image", "network"],
)
def test_what_replaces_a_service(after: dict[str, object], *, replaces: bool) -> None:
    assert SERVICE.replaces(FULL_SERVICE, after) is replaces


@given(st.integers(min_value=0, max_value=10**15))
def test_any_duration_survives(nanoseconds: int) -> None:
    codec = Duration()

    assert codec.to_api(codec.from_api(nanoseconds)) == nanoseconds


@pytest.mark.parametrize("text", ["", "5", "5 s", "s", "1x", "-1s"])
def test_a_bad_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="invalid duration"):
        Duration().to_api(text)


@given(st.dictionaries(st.text(st.characters(exclude_characters="="), min_size=1), st.text()))
def test_any_environment_survives(environment: dict[str, str]) -> None:
    assert Environment().from_api(Environment().to_api(environment)) == environment


def test_lists_of_objects_survive() -> None:
    codec = Many(Shape("x", {"a": Field("A.B"), "c": Field("C")}))

    assert codec.to_api([{"a": 1}, {"c": 2}]) == [{"A": {"B": 1}}, {"C": 2}]
    assert codec.from_api(codec.to_api([{"a": 1}, {"c": 2}])) == [{"a": 1}, {"c": 2}]
