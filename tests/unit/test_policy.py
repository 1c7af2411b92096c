"""The policy pack: this program keeps every rule, and each rule sees a resource that does not."""

import base64
import copy
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from certificates import self_signed
from pulumi.runtime import rpc
from recorder import Recorder
from variants import SECRETS, VARIANTS

from swarm_policy import rules
from swarm_policy.rules import Marker, Resource

Run = Callable[..., Recorder]

DIGEST = "a" * 64
SERVICE: dict[str, Any] = {
    "taskSpec": {
        "containerSpec": {
            "image": f"docker.io/library/hello:1@sha256:{DIGEST}",
            "user": "10100:10100",
            "healthcheck": {"tests": ["CMD", "true"]},
            "capDrops": ["ALL"],
            "readOnly": True,
            "mounts": [{"type": "volume", "source": "hello", "target": "/data"}],
        },
        "resources": {"limits": {"nanoCpus": 1e9, "memoryBytes": 2**26}},
        "placement": {"constraints": ["node.platform.os==linux"]},
    }
}
RULES = {rule.name: rule for rule in rules.SERVICE_RULES}


def service(name: str = "hello", **changes: Any) -> Resource:
    """A service that keeps all rules but for these changes of its containers."""
    inputs = copy.deepcopy(SERVICE)
    inputs["taskSpec"]["containerSpec"] |= changes
    return Resource(rules.SERVICE, name, inputs)


def bound(name: str, constraint: str) -> Resource:
    resource = service(name)
    resource.get("taskSpec.placement.constraints").append(constraint)
    return resource


def mounting(source: str, *empty: str) -> Resource:
    mounts = [{"type": "bind", "source": source, "target": "/host", "readOnly": True}]
    return service(mounts=mounts + [{"type": "tmpfs", "target": target} for target in empty])


def violations(resource: Resource) -> dict[str, list[str]]:
    """What each rule says of a resource, with nothing allowed but what is by default."""
    found = {name: rule.violations(resource, rule.allowed) for name, rule in RULES.items()}
    return {name: messages for name, messages in found.items() if messages}


def resources(recorder: Recorder, *, secret: bool) -> list[Resource]:
    """All recorded resources; with `secret`, a marker is in the place of each secret input."""

    def shown(value: Any) -> Any:
        if isinstance(value, dict):
            if value.get(rpc._special_sig_key) == rpc._special_secret_sig:
                return Marker.SECRET if secret else shown(value["value"])
            return {key: shown(inner) for key, inner in value.items()}
        return [shown(inner) for inner in value] if isinstance(value, list) else value

    return [Resource(found.typ, found.name, shown(found.inputs)) for found in recorder.resources]


@pytest.fixture(params=[*VARIANTS, "certificate", "registry"])
def program(request: pytest.FixtureRequest, run_once: Run, values: dict[str, Any]) -> Recorder:
    """The whole program, for each kind of cluster."""
    variants = {
        **VARIANTS,
        "certificate": {"edge_certificate": self_signed(addresses=["192.168.50.2"])},
        "registry": {"registry": {"address": "registry.example:5000"}},
    }
    return run_once({**values, **variants[request.param]}, secrets=SECRETS)


def test_every_resource_of_the_program_keeps_every_rule(program: Recorder) -> None:
    found = resources(program, secret=False)

    assert len([resource for resource in found if resource.kind == rules.SERVICE]) > 10
    assert {resource.name: violations(resource) for resource in found if violations(resource)} == {}
    assert rules.shared_users(found) == []
    assert [text for resource in resources(program, secret=True) for text in rules.plain_secrets(resource)] == []


def test_the_exceptions_are_needed(run_once: Run, values: dict[str, Any]) -> None:
    services = [found for found in resources(run_once(values), secret=False) if found.kind == rules.SERVICE]

    for rule in rules.SERVICE_RULES:
        assert {found.name for found in services if rule.violations(found, ())} == set(rule.allowed), rule.name


@pytest.mark.parametrize(
    ("rule", "changes", "problem"),
    [
        ("image-pinned", {"image": "hello:1"}, 'the image is "hello:1"'),
        ("image-pinned", {"image": "localhost/hello:latest"}, 'the image is "localhost/hello:latest"'),
        ("image-pinned", {"image": "example.org/hello:0123456789ab"}, "the image is"),
        ("image-pinned", {"image": None}, 'the image is "None"'),
        ("health-check", {"healthcheck": None}, "there is no health check"),
        ("health-check", {"healthcheck": {"tests": ["NONE"]}}, "there is no health check"),
        ("not-root", {"user": None}, "the image decides on the user"),
        ("not-root", {"user": "0:10100"}, 'the user is "0:10100"'),
        ("not-root", {"user": "root"}, 'the user is "root"'),
        ("not-root", {"user": "10100"}, "whose group can be root's"),
        ("not-root", {"user": "10100:0"}, "whose group can be root's"),
        ("no-capabilities", {"capDrops": None}, "it keeps capabilities"),
        ("no-capabilities", {"capDrops": ["CAP_CHOWN"]}, "it keeps capabilities"),
        ("no-capabilities", {"capAdds": ["CAP_NET_ADMIN"]}, "it has the capabilities CAP_NET_ADMIN"),
        ("read-only", {"readOnly": None}, "the root file system can be written"),
        ("read-only", {"readOnly": False}, "the root file system can be written"),
    ],
)
def test_a_service_that_breaks_a_rule_is_named_with_the_rule_and_the_remedy(
    rule: str, changes: dict[str, Any], problem: str
) -> None:
    found = violations(service(**changes))

    assert list(found) == [rule]
    (text,) = found[rule]
    assert text.startswith(f"hello: {rule}: ")
    assert problem in text
    assert text.endswith(f": {RULES[rule].remedy}")
    assert "\n" not in text


@pytest.mark.parametrize("missing", ["nanoCpus", "memoryBytes"])
def test_a_service_without_a_limit_is_named(missing: str) -> None:
    resource = service()
    del resource.get("taskSpec.resources.limits")[missing]

    assert list(violations(resource)) == ["limits"]


@pytest.mark.parametrize(
    "source",
    [
        *("/var/run/docker.sock", "/run/docker.sock", "/run", "/var/run/", "/var", "/"),
        *("/run/containerd", "/var/run/containerd/containerd.sock", "/run/containerd/s", "/run/docker/containerd"),
    ],
)
def test_a_service_that_mounts_the_socket_or_a_folder_with_it_is_named(source: str) -> None:
    (text,) = violations(mounting(source))["no-engine-socket"]

    assert text.startswith(f"hello: no-engine-socket: it mounts {source.rstrip('/') or '/'}: ask the Engine through ")


def test_a_folder_may_be_mounted_whose_socket_is_covered_or_that_has_none() -> None:
    assert violations(mounting("/", "/host/run")) == {}
    assert violations(mounting("/proc")) == {}
    assert violations(mounting("/var/lib/docker/image")) == {}


@pytest.mark.parametrize(
    "image", [f"hello@sha256:{DIGEST}", "localhost/file-transfer:0123456789ab", Marker.UNKNOWN], ids=str
)
def test_a_pinned_image_one_of_ours_and_one_that_is_not_known_yet_may_run(image: str | Marker) -> None:
    assert violations(service(image=image)) == {}


def test_what_is_not_known_yet_breaks_no_rule() -> None:
    unknown: dict[str, Any] = dict.fromkeys(SERVICE["taskSpec"]["containerSpec"], Marker.UNKNOWN)

    assert violations(service(**unknown)) == {}
    assert violations(Resource(rules.SERVICE, "hello", {"taskSpec": Marker.UNKNOWN})) == {}
    assert rules.shared_users([service("one", user=Marker.UNKNOWN), service("two", user=Marker.UNKNOWN)]) == []


def test_only_services_are_held_to_the_rules_of_services() -> None:
    assert violations(Resource("docker:index/network:Network", "hello", {})) == {}


@pytest.mark.parametrize("rule", ["not-root", "no-engine-socket"])
def test_a_service_that_is_listed_is_excepted_from_this_rule(rule: str) -> None:
    resource = service(user="0:10100", mounts=[{"type": "bind", "source": "/run/docker.sock", "target": "/s"}])

    assert RULES[rule].violations(resource, ())
    assert RULES[rule].violations(resource, ["hello"]) == []


@pytest.mark.parametrize(
    ("user", "other", "shared"),
    [
        ("10100:10100", "10100:10100", "the group 10100"),
        ("10100:10100", "10101:10100", "the group 10100"),
        ("10100:10100", "10100:10101", "the user 10100"),
        ("0:10100", "0:10100", "the group 10100"),
    ],
)
def test_two_services_with_one_user_or_group_are_named(user: str, other: str, shared: str) -> None:
    ((name, text),) = rules.shared_users([service("one", user=user), service("two", user=other)])

    assert name == "two"
    assert text == (f"two: own-user: it shares {shared} with one: give each a number of its own in container_spec.user")


def test_services_may_share_a_user_on_different_hosts_and_root_in_different_groups() -> None:
    on_hosts = [bound("one", "node.labels.host==master"), bound("two", "node.labels.host==slave")]
    roots = [service("one", user="0:10100"), service("two", user="0:10101")]

    assert rules.shared_users(on_hosts) == []
    assert rules.shared_users(roots) == []
    assert rules.shared_users([*on_hosts, bound("three", "node.role==manager")])


KEY = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==\n-----END PRIVATE KEY-----\n"
TOKEN = "SWMTKN-1-1a2b3c4d5e6f7g8h9i0j1a2b3c4d5e6f7g8h9i0j-1a2b3c4d5e6f7g8h9i0j"


@pytest.mark.parametrize(
    ("inputs", "problem"),
    [
        ({"stdin": f"first\n{KEY}"}, "stdin has a private key"),
        ({"data": base64.b64encode(KEY.encode()).decode()}, "data has a private key"),
        ({"environment": {"KEY": KEY.replace("PRIVATE", "OPENSSH PRIVATE")}}, "environment.KEY has a private key"),
        ({"triggers": ["x", f"docker swarm join --token {TOKEN}"]}, "triggers[1] has a token to join a swarm"),
    ],
)
def test_a_secret_in_the_clear_is_named_with_its_input_and_not_repeated(
    inputs: Mapping[str, Any], problem: str
) -> None:
    (text,) = rules.plain_secrets(Resource("command:local:Command", "join", inputs))

    assert text.startswith(f"join: no-plain-secret: {problem}: make the input secret with ")
    assert KEY.split()[4] not in text
    assert TOKEN not in text
    assert rules.plain_secrets(Resource("command:local:Command", "join", dict.fromkeys(inputs, Marker.SECRET))) == []


def test_a_docker_secret_is_a_secret_input() -> None:
    plain = Resource(rules.DOCKER_SECRET, "password", {"data": "aG9yc2U="})

    assert rules.plain_secrets(plain)
    assert rules.plain_secrets(Resource(plain.kind, plain.name, {"data": Marker.SECRET})) == []
