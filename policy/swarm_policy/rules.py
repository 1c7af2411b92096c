"""The rules as functions of a resource's inputs. They need no Pulumi, so tests run them on recorded resources."""

import base64
import itertools
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

SERVICE = "docker:index/service:Service"
DOCKER_SECRET = "docker:index/secret:Secret"  # noqa: S105 - a type of resource

ROOT_SERVICES = ("cadvisor", "container-api", "docker-api")
"""What they read belongs to root. Each has a group of its own, and no capabilities."""
FILTERS = ("container-api", "docker-api")
"""They pass on the few requests to the Engine that a service needs."""


class Marker(Enum):
    """Stands for a value that a rule does not see."""

    UNKNOWN = "known only in the update"
    SECRET = "encrypted in Pulumi's state"  # noqa: S105 - not one


@dataclass(frozen=True)
class Resource:
    """A resource of a stack, with its inputs as Pulumi's engine names them. `kind` is its type."""

    kind: str
    name: str
    inputs: Mapping[str, Any]

    def get(self, path: str) -> Any:  # noqa: ANN401 - any input
        """Return the input at a path such as "taskSpec.resources": None if it is missing, a marker if it is hidden."""
        value: Any = self.inputs
        for key in path.split("."):
            if isinstance(value, Marker):
                return value
            value = value.get(key) if isinstance(value, Mapping) else None
        return value

    def container(self, key: str) -> Any:  # noqa: ANN401 - any input
        """Return an input of a service's containers."""
        return self.get(f"taskSpec.containerSpec.{key}")


@dataclass(frozen=True, kw_only=True)
class ServiceRule:
    """A rule that each service keeps by itself. `allowed` are the names of services that are excepted."""

    name: str
    description: str
    remedy: str
    problems: Callable[[Resource], Iterator[str]]
    allowed: Collection[str] = ()

    def violations(self, resource: Resource, allowed: Collection[str]) -> list[str]:
        """Return a message for each problem of this resource: its name, the rule, the problem and the remedy."""
        if resource.kind != SERVICE or resource.name in allowed:
            return []
        return [message(resource.name, self.name, problem, self.remedy) for problem in self.problems(resource)]


def message(resource: str, rule: str, problem: str, remedy: str) -> str:
    """Return what is said about a violation, in one line."""
    return f"{resource}: {rule}: {problem}: {remedy}"


def _image(service: Resource) -> Iterator[str]:
    image = service.container("image")
    if isinstance(image, Marker):
        return
    pinned = re.search(r"@sha256:[0-9a-f]{64}$", str(image))
    ours = re.fullmatch(r"localhost/[^@]+:[0-9a-f]{12}", str(image))
    if not pinned and not ours:
        yield f'the image is "{image}"'


def _limits(service: Resource) -> Iterator[str]:
    for key, what in (("nanoCpus", "CPU"), ("memoryBytes", "memory")):
        if not service.get(f"taskSpec.resources.limits.{key}"):
            yield f"{what} has no limit"


def _health_check(service: Resource) -> Iterator[str]:
    tests = service.container("healthcheck.tests")
    if not isinstance(tests, Marker) and (not tests or list(tests) == ["NONE"]):
        yield "there is no health check"


def _user(service: Resource) -> Iterator[str]:
    user = service.container("user")
    if isinstance(user, Marker):
        return
    if not user:
        yield "the image decides on the user"
        return
    uid, _, group = str(user).partition(":")
    if uid in ("0", "root"):
        yield f'the user is "{user}"'
    elif group in ("", "0", "root"):
        # A user that the image does not know has root's group unless it is given one.
        yield f'the user is "{user}", whose group can be root\'s'


def _capabilities(service: Resource) -> Iterator[str]:
    dropped, added = service.container("capDrops"), service.container("capAdds")
    if not isinstance(dropped, Marker) and "ALL" not in (dropped or ()):
        yield "it keeps capabilities"
    if added and not isinstance(added, Marker):
        yield f"it has the capabilities {', '.join(added)}"


def _root_file_system(service: Resource) -> Iterator[str]:
    if service.container("readOnly") not in (True, Marker.UNKNOWN):
        yield "the root file system can be written"


def _engine_socket(service: Resource) -> Iterator[str]:
    mounts = service.container("mounts") or ()
    if isinstance(mounts, Marker):
        return
    known = [mount for mount in mounts if isinstance(mount, Mapping)]
    covered = {mount.get("target") for mount in known if mount.get("type") == "tmpfs"}
    for mount in known:
        source, target = str(mount.get("source")).rstrip("/") or "/", str(mount.get("target")).rstrip("/")
        if mount.get("type") != "bind":
            continue
        # A folder above the socket's has the socket too, unless an empty file system covers it.
        above = source in ("/", "/var") and f"{target}/run" not in covered
        below = re.match(r"(/var)?/run(/docker\.sock|/(containerd|docker)(/.*)?)?$", source)
        if below or above:
            yield f"it mounts {source}"


SERVICE_RULES = (
    ServiceRule(
        name="image-pinned",
        description="An upstream image is pinned by digest; one of ours is tagged with a hash of its content.",
        remedy='add "@sha256:…" to the reference; `docker buildx imagetools inspect` prints the digest',
        problems=_image,
    ),
    ServiceRule(
        name="limits",
        description="A service is limited in CPU and memory.",
        remedy="set task_spec.resources.limits, or use SwarmService, which asks for it",
        problems=_limits,
    ),
    ServiceRule(
        name="health-check",
        description="A service has a health check.",
        remedy="set container_spec.healthcheck, or use SwarmService, which asks for it",
        problems=_health_check,
    ),
    ServiceRule(
        name="not-root",
        description="A service runs as a user and a group that are not root's.",
        remedy='set container_spec.user to a number and a group, such as "10100:10100", or list the service in the '
        "rule's `allowed`",
        problems=_user,
        allowed=ROOT_SERVICES,
    ),
    ServiceRule(
        name="no-capabilities",
        description="A service drops all capabilities.",
        remedy='set container_spec.cap_drops to ["ALL"] and no cap_adds, or use SwarmService, which does',
        problems=_capabilities,
    ),
    ServiceRule(
        name="read-only",
        description="A service's root file system is read-only.",
        remedy="set container_spec.read_only, and mount a volume or a tmpfs where the program writes",
        problems=_root_file_system,
    ),
    ServiceRule(
        name="no-engine-socket",
        description="No service has the Engine's socket or containerd's, which are root on the host.",
        remedy="ask the Engine through DockerApi or ContainerApi, or list the service in the rule's `allowed`",
        problems=_engine_socket,
        allowed=FILTERS,
    ),
)

OWN_USER = "own-user"
OWN_USER_DESCRIPTION = "No two services that can run on one host share a user or a group."
_OWN_USER_REMEDY = "give each a number of its own in container_spec.user"


def shared_users(resources: Iterable[Resource]) -> list[tuple[str, str]]:
    """Return the name of each service that shares its user or group with an earlier one, and a message."""
    services = [resource for resource in resources if resource.kind == SERVICE]
    return [
        (other.name, message(other.name, OWN_USER, f"it shares {shared} with {one.name}", _OWN_USER_REMEDY))
        for one, other in itertools.combinations(services, 2)
        if not _apart(one, other) and (shared := _shared(one, other))
    ]


def _shared(one: Resource, other: Resource) -> str:
    users = [service.container("user") for service in (one, other)]
    if not all(users) or any(isinstance(user, Marker) for user in users):
        return ""  # another rule wants a user, and a user that is not known yet is seen in the update
    (uid, _, group), (other_uid, _, other_group) = (str(user).partition(":") for user in users)
    if group and group == other_group:
        return f"the group {group}"
    return f"the user {uid}" if uid == other_uid and uid != "0" else ""


def _apart(one: Resource, other: Resource) -> bool:
    """Whether their constraints bind them to different hosts, where they can do nothing to each other."""
    bound, other_bound = _constraints(one), _constraints(other)
    return any(bound[key] != other_bound[key] for key in bound.keys() & other_bound.keys())


def _constraints(service: Resource) -> dict[str, str]:
    listed = service.get("taskSpec.placement.constraints") or ()
    texts = [text for text in listed if isinstance(text, str)] if not isinstance(listed, Marker) else []
    return {key.strip(): value.strip() for key, _, value in (text.partition("==") for text in texts if "==" in text)}


NO_PLAIN_SECRET = "no-plain-secret"  # noqa: S105 - the name of a rule
NO_PLAIN_SECRET_DESCRIPTION = "No private key, join token or Docker secret is in an input that is not secret."  # noqa: S105
_NO_PLAIN_SECRET_REMEDY = "make the input secret with pulumi.Output.secret, so that Pulumi encrypts it"  # noqa: S105

_LOOKS_LIKE = {
    "a private key": re.compile(rb"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\s+\S"),
    "a token to join a swarm": re.compile(rb"SWMTKN-\d+-[0-9a-z]{20}"),
}


def plain_secrets(resource: Resource) -> list[str]:
    """Return a message for each input that looks like a secret and is in the clear.

    The resource must have `Marker.SECRET` in the place of each secret input.
    """
    problems = [
        f"{path} has {what}"
        for path, text in _texts(resource.inputs, "")
        for what, pattern in _LOOKS_LIKE.items()
        if pattern.search(text.encode()) or pattern.search(_decoded(text))
    ]
    if resource.kind == DOCKER_SECRET and isinstance(resource.inputs.get("data"), str):
        problems.append("data is in the clear")
    return [message(resource.name, NO_PLAIN_SECRET, problem, _NO_PLAIN_SECRET_REMEDY) for problem in problems]


def _texts(value: Any, path: str) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - any input
    """Yield the path of every text in these inputs, and the text."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _texts(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from _texts(inner, f"{path}[{number}]")


def _decoded(text: str) -> bytes:
    """Return the bytes that this is the base64 of, as in a Docker config; none if it is not."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""
