"""Tables of properties: which inputs are refused, which changes replace, and that a document survives a round trip."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.plugins.codecs import Codec, Duration, Environment
from lab.plugins.difference import differences, planned
from lab.plugins.docker.service_shape import SERVICE
from lab.plugins.shape import Field, Labels, ListOf, SetOf, Shape, blocks, flag, number, strings, table, text
from lab.plugins.state import refreshed, state_after_change
from lab.plugins.values import UNKNOWN

FULL_SERVICE: dict[str, Any] = {
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
                {"type": "tmpfs", "target": "/tmp", "tmpfsOptions": {"mode": 511, "sizeBytes": 1024}},
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


def test_a_whole_service_survives_a_round_trip_to_the_engine() -> None:
    document = SERVICE.to_api(FULL_SERVICE)

    assert SERVICE.failures(FULL_SERVICE) == []
    assert document["TaskTemplate"]["ContainerSpec"]["Healthcheck"]["Interval"] == 5_000_000_000
    assert document["TaskTemplate"]["ContainerSpec"]["Env"] == ["A=1", "B=x=y"]
    assert document["EndpointSpec"]["Ports"][0]["PublishMode"] == "host"
    assert refreshed(SERVICE, FULL_SERVICE, SERVICE.from_api(document)) == FULL_SERVICE


def test_a_refresh_adds_no_inputs_and_updates_changed_ones() -> None:
    live = SERVICE.from_api({**SERVICE.to_api(FULL_SERVICE), "Mode": {"Replicated": {"Replicas": 9}}})

    assert live["taskSpec"]["containerSpec"]["hostname"] == ""
    assert refreshed(SERVICE, FULL_SERVICE, live) == {**FULL_SERVICE, "mode": {"replicated": {"replicas": 9}}}


@pytest.mark.parametrize(
    ("change", "where", "reason"),
    [
        ({"converge": {}}, "converge", 'service has no property "converge"'),
        ({"taskSpec": {"containerSpec": {"image": "x", "imagee": 1}}}, "taskSpec.containerSpec.imagee", "no property"),
        ({"taskSpec": {"containerSpec": {}}}, "taskSpec.containerSpec.image", 'needs the property "image"'),
        ({"endpointSpec": {"ports": [{}]}}, "endpointSpec.ports[0].targetPort", 'needs the property "targetPort"'),
        ({"taskSpec": []}, "taskSpec.", "takes an object"),
    ],
)
def test_unknown_and_missing_properties_are_named(change: dict[str, object], where: str, reason: str) -> None:
    ((path, text),) = SERVICE.failures({**FULL_SERVICE, **change})

    assert path == where
    assert reason in text


def test_unknown_values_are_not_refused() -> None:
    assert SERVICE.failures({"taskSpec": UNKNOWN}) == []
    assert SERVICE.failures({"taskSpec": {"containerSpec": {"image": UNKNOWN}}}) == []


def differ(old: dict[str, Any], new: dict[str, Any], *ignored: str) -> dict[str, str]:
    plan = planned(SERVICE, new, old, ignored)
    return {path: kind.name.lower() for path, kind in differences(SERVICE, old, plan).items()}


def changed(**container: object) -> dict[str, Any]:
    """Return the whole service with changed properties of its container. None removes a property."""
    task: dict[str, Any] = FULL_SERVICE["taskSpec"]
    kept = {key: value for key, value in {**task["containerSpec"], **container}.items() if value is not None}
    return {**FULL_SERVICE, "taskSpec": {**task, "containerSpec": kept}}


BIND = {"type": "bind", "target": "/x", "source": "/y"}


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (FULL_SERVICE, {}),
        ({**FULL_SERVICE, "mode": {"replicated": {"replicas": 4}}}, {"mode.replicated.replicas": "update"}),
        ({**FULL_SERVICE, "name": "other"}, {"name": "update_replace"}),
        (changed(image="y"), {".image": "update"}),
        (changed(image=UNKNOWN), {".image": "update"}),
        (changed(hostname="h"), {".hostname": "update"}),
        (changed(user=None), {".user": "delete"}),
        (changed(stopGracePeriod=None), {}),
        (changed(env={"A": "2", "C": "3"}), {".env.A": "update", ".env.B": "delete", ".env.C": "add"}),
        (changed(env=None), {".env.A": "delete", ".env.B": "delete"}),
        (changed(commands=["run", "this"]), {".commands[1]": "update"}),
        (changed(commands=["it"]), {".commands[0]": "delete"}),
        (changed(commands=["run", UNKNOWN]), {".commands": "update"}),
        (changed(commands=None), {".commands": "delete"}),
        (changed(args=["-x", "-y"]), {".args[1]": "add"}),
        (changed(labels=[{"label": "a", "value": "1"}]), {".labels": "add_replace"}),
        (changed(sysctl={"a": "1"}), {".sysctl.a": "add_replace"}),
        (changed(hosts=[{"host": "h", "ip": "10.0.0.1"}]), {".hosts": "add_replace"}),
        (changed(mounts=[*FULL_SERVICE["taskSpec"]["containerSpec"]["mounts"], BIND]), {".mounts[2]": "add"}),
        (
            changed(mounts=[*FULL_SERVICE["taskSpec"]["containerSpec"]["mounts"], {**BIND, "source": None}]),
            {".mounts": "update"},
        ),
    ],
)
def test_differences_have_the_path_of_the_innermost_property(after: dict[str, Any], expected: dict[str, str]) -> None:
    before = SERVICE.from_api(SERVICE.to_api(FULL_SERVICE))

    found = differ(before, after)

    assert {path.removeprefix("taskSpec.containerSpec"): kind for path, kind in found.items()} == expected


def test_members_in_another_order_are_no_difference() -> None:
    task: Any = FULL_SERVICE["taskSpec"]
    networks = [{"id": "n1", "aliases": ["a", "b"]}, {"id": "n2"}]
    before = SERVICE.from_api(SERVICE.to_api({**FULL_SERVICE, "taskSpec": {**task, "networksAdvanceds": networks}}))

    turned = [{"id": "n2"}, {"id": "n1", "aliases": ["b", "a"]}]

    assert differ(before, {**FULL_SERVICE, "taskSpec": {**task, "networksAdvanceds": turned}}) == {}


def test_a_replacement_that_no_path_shows_has_its_own_entry() -> None:
    before = SERVICE.from_api(SERVICE.to_api(FULL_SERVICE))
    task: Any = FULL_SERVICE["taskSpec"]
    after = {**FULL_SERVICE, "taskSpec": {**task, "networksAdvanceds": [{"id": "n2"}]}}

    assert differ(before, after) == {"__meta": "update_replace", "taskSpec.networksAdvanceds": "update"}
    assert "__meta" not in differ(before, {**after, "name": "other"})


def test_ignored_properties_stay_as_in_the_state() -> None:
    before = SERVICE.from_api(SERVICE.to_api(FULL_SERVICE))
    before["taskSpec"]["placement"]["platforms"] = [{"architecture": "amd64", "os": "linux"}]

    assert differ(before, FULL_SERVICE) == {"taskSpec.placement.platforms": "delete"}
    assert differ(before, FULL_SERVICE, "taskSpec.placement.platforms") == {}
    assert planned(SERVICE, FULL_SERVICE, before)["taskSpec"]["placement"]["platforms"] is None


def test_an_ignored_property_may_be_within_an_unknown_value() -> None:
    before = SERVICE.from_api(SERVICE.to_api(FULL_SERVICE))

    # Pulumi compares like this everything that depends on a resource which is deleted before it is replaced.
    found = differ(before, {**FULL_SERVICE, "taskSpec": UNKNOWN}, "taskSpec.placement.platforms")

    assert found == {"taskSpec": "update"}


MEMBERS = Shape(
    "x",
    {
        "list": strings("List"),
        "map": table("Map"),
        "seen": blocks("Seen", unset=[]),
        "set": blocks("Set", SetOf(Shape("member", {"name": text("Name"), "flag": flag("Flag", unset=None)}))),
    },
)
EMPTY = MEMBERS.from_api({"Seen": ["a"], "Set": [{"Name": "n"}]})


def test_unset_properties_are_null_until_a_refresh() -> None:
    created = state_after_change(MEMBERS, EMPTY, {"set": [{"name": "n"}]}, {})

    assert created == {"list": None, "map": None, "seen": [], "set": [{"name": "n", "flag": None}]}
    assert state_after_change(MEMBERS, EMPTY, {"set": [{"name": "n"}]}, created) == created
    assert state_after_change(MEMBERS, EMPTY, {"set": [{"name": "n"}]}, EMPTY) == EMPTY
    assert EMPTY == {"list": [], "map": {}, "seen": ["a"], "set": [{"name": "n", "flag": False}]}


def test_set_properties_are_in_the_state_with_the_value_of_the_engine() -> None:
    given = {"list": [], "map": {}, "seen": ["b"], "set": [{"name": "n", "flag": False}]}

    assert state_after_change(MEMBERS, EMPTY, given, {}) == EMPTY


def test_members_of_a_set_are_refreshed_from_the_most_similar_ones() -> None:
    inputs = {"set": [{"name": "b", "flag": True}, {"name": "a"}], "list": ["x"], "map": {"k": "1", "gone": "2"}}
    live = {
        "set": [{"name": "a", "flag": False}, {"name": "b", "flag": False}, {"name": "c", "flag": True}],
        "list": ["y", "z"],
        "map": {"k": "3", "new": "4"},
    }

    assert refreshed(MEMBERS, inputs, live) == {
        "set": [{"name": "b", "flag": False}, {"name": "a"}],
        "list": ["y"],
        "map": {"k": "3"},
    }


@given(st.integers(min_value=0, max_value=10**15))
def test_any_duration_survives_a_round_trip(nanoseconds: int) -> None:
    codec = Duration()

    assert codec.to_api(codec.from_api(nanoseconds)) == nanoseconds


@pytest.mark.parametrize("text", ["", "5", "5 s", "s", "1x", "-1s"])
def test_a_bad_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="invalid duration"):
        Duration().to_api(text)


@given(st.dictionaries(st.text(st.characters(exclude_characters="="), min_size=1), st.text()))
def test_any_environment_survives_a_round_trip(environment: dict[str, str]) -> None:
    assert Environment().from_api(Environment().to_api(environment)) == environment


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("60s", "1m"),
        ("90s", "1m30s"),
        ("3600s", "1h"),
        ("3601s", "1h0m1s"),
        ("3660s", "1h1m"),
        ("0s", "0s"),
        ("1500ms", "1.5s"),
    ],
)
def test_durations_are_read_back_in_the_short_form_of_go(text: str, short: str) -> None:
    assert Duration().from_api(Duration().to_api(text)) == short


def test_the_mode_of_a_tmpfs_is_read_back_without_its_sticky_bit() -> None:
    mounts = {"Mounts": [{"Type": "tmpfs", "Target": "/tmp", "TmpfsOptions": {"Mode": 0o1777}}]}
    state = SERVICE.from_api({"Mode": {"Global": {}}, "TaskTemplate": {"ContainerSpec": mounts}})

    assert state["taskSpec"]["containerSpec"]["mounts"][0]["tmpfsOptions"] == {"mode": 0o777, "sizeBytes": 0}


def test_lists_of_objects_survive_a_round_trip() -> None:
    codec = ListOf(Shape("x", {"a": number("A.B"), "c": Field("C")}))

    assert codec.to_api([{"a": 1}, {"c": 2}]) == [{"A": {"B": 1}}, {"C": 2}]
    assert codec.from_api([{"A": {"B": 1}}, {"C": 2}]) == [{"a": 1, "c": None}, {"a": 0, "c": 2}]


def test_sets_are_read_in_the_order_of_the_texts_of_their_members() -> None:
    assert Labels().from_api({"b": "1", "a": "2"}) == [{"label": "a", "value": "2"}, {"label": "b", "value": "1"}]
    assert SetOf(Codec()).from_api(["b", "a"]) == ["a", "b"]
    assert [item["name"] for item in MEMBERS.from_api({"Set": [{"Name": "b"}, {"Name": "a"}]})["set"]] == ["a", "b"]
