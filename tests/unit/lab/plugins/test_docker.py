"""The docker stand-in behaves as the real provider was observed to behave."""

import asyncio
import base64
import json
import socket
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.struct_pb2 import Struct
from pulumi.provider.experimental import provider
from pulumi.provider.experimental.provider import PropertyDiffKind
from pulumi.provider.experimental.server import ProviderServicer
from pulumi.runtime.proto import provider_pb2

from lab.plugins.docker import engine_api
from lab.plugins.docker.engine_api import EngineApi, EngineError, retry_while
from lab.plugins.docker.files import Secret, ServiceConfig
from lab.plugins.docker.image import Image
from lab.plugins.docker.network import Network
from lab.plugins.docker.service import Service
from lab.plugins.docker.volume import Volume
from lab.plugins.resource import TypedProvider
from lab.plugins.serve import ProviderError
from lab.plugins.values import UNKNOWN, plain_map, wrap

URN = "urn:pulumi:lab::p::swarm:x:Parent${type}::{name}"


class FakeEngine(EngineApi):
    """An engine with given answers, which records its requests."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.calls: list[tuple[str, str, dict[str, Any]]] = []

    def call(self, method: str, path: str, **request: Any) -> Any:
        self.calls.append((method, path, request))
        for key, answer in self.answers.items():
            wanted_method, _, wanted_path = key.partition("_")
            if method == wanted_method and path.startswith("/" + wanted_path.replace("__", "/")):
                if isinstance(answer, Exception):
                    raise answer
                return answer
        return {"ID": "made", "Id": "made", "Scope": "swarm"}


def provider_with(kind: Any, token: str) -> TypedProvider:
    made = TypedProvider()
    made.types = {token: kind}
    return made


def check(
    kind: Any, inputs: dict[str, Any], old: dict[str, Any] | None = None, seed: bytes = b"1"
) -> provider.CheckResponse:
    token = "docker:index/x:X"
    request = provider.CheckRequest(
        URN.format(type=token, name="edge"),
        {key: wrap(value) for key, value in (old or {}).items()},
        {key: wrap(value) for key, value in inputs.items()},
        seed,
    )
    return asyncio.run(provider_with(kind, token).check(request))


def diff(kind: Any, state: dict[str, Any], inputs: dict[str, Any]) -> provider.DiffResponse:
    token = "docker:index/x:X"
    request = provider.DiffRequest(
        URN.format(type=token, name="edge"),
        "id",
        {key: wrap(value) for key, value in state.items()},
        {key: wrap(value) for key, value in inputs.items()},
        [],
    )
    return asyncio.run(provider_with(kind, token).diff(request))


def struct(**values: str) -> Struct:
    made = Struct()
    made.update(values)
    return made


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


SERVICE: dict[str, Any] = {
    "name": "edge",
    "taskSpec": {"containerSpec": {"image": "x"}},
    "mode": {"replicated": {"replicas": 2}},
}
SPEC = {"Name": "edge", "Mode": {"Replicated": {"Replicas": 9}}, "TaskTemplate": {"ContainerSpec": {"Image": "x"}}}


def test_the_engine_is_not_told_that_a_changed_configuration_is_the_same() -> None:
    before = provider_pb2.DiffRequest(olds=struct(host="ssh://one"), news=struct(host="ssh://two"))

    answer = asyncio.run(ProviderServicer([], "5.2.0", TypedProvider(), engine_address="").DiffConfig(before, None))

    assert answer.changes == provider_pb2.DiffResponse.DIFF_UNKNOWN


def test_a_name_is_made_from_the_logical_name_and_kept() -> None:
    kind: Any = ServiceConfig(FakeEngine())
    first = plain_map(check(kind, {"data": b64("x")}).inputs)
    again = plain_map(check(kind, {"data": b64("y")}, old=first, seed=b"2").inputs)
    another = plain_map(check(kind, {"data": b64("y")}, seed=b"2").inputs)

    assert first["name"].startswith("edge-")
    assert len(first["name"]) == len("edge-") + 7
    assert again["name"] == first["name"]
    assert another["name"] != first["name"]


def test_a_changed_config_is_replaced() -> None:
    old, new = {"name": "c", "data": b64("x")}, {"name": "c", "data": b64("y")}
    response = diff(ServiceConfig(FakeEngine()), old, new)

    assert response.replaces == ["data"]
    assert response.detailed_diff["data"].kind is PropertyDiffKind.UPDATE_REPLACE


def test_data_that_is_not_base64_is_refused_and_not_shown() -> None:
    (failure,) = check(Secret(FakeEngine()), {"data": "pass word!"}).failures or []

    assert "base64" in failure.reason
    assert "pass word" not in failure.reason


def test_a_secrets_data_stays_secret() -> None:
    checked = check(Secret(FakeEngine()), {"data": b64("x")}).inputs

    assert checked is not None
    assert checked["data"].is_secret


def test_the_error_of_the_engine_is_shown_unchanged() -> None:
    refusal = EngineError(
        400, "rpc error: code = InvalidArgument desc = config 'cfg1' is in use by the following service: edge"
    )
    engine: Any = FakeEngine(DELETE_configs=refusal)

    with pytest.raises(ProviderError) as raised:
        ServiceConfig(engine).delete("c1", {})

    assert str(raised.value).startswith("Error response from daemon: rpc error: code = InvalidArgument")
    assert "is in use by the following service" in str(raised.value)


def test_scaling_updates_in_place_and_says_so() -> None:
    response = diff(Service(FakeEngine()), SERVICE, {**SERVICE, "mode": {"replicated": {"replicas": 4}}})

    assert response.changes is True
    assert response.replaces == []
    assert {key: detail.kind for key, detail in response.detailed_diff.items()} == {
        "mode.replicated.replicas": PropertyDiffKind.UPDATE
    }


def test_a_service_scaled_by_hand_differs_after_a_refresh() -> None:
    engine: Any = FakeEngine(GET_services={"Spec": SPEC})

    found = Service(engine).read("s1", SERVICE, SERVICE)

    assert found is not None
    assert found[0]["mode"] == {"replicated": {"replicas": 9}}
    assert diff(Service(engine), found[1], SERVICE).diffs == ["mode"]


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        (Service, "services"),
        (ServiceConfig, "configs"),
        (Secret, "secrets"),
        (Network, "networks"),
        (Volume, "volumes"),
    ],
)
def test_a_deleted_resource_is_gone_from_the_state(kind: Any, path: str) -> None:
    engine = FakeEngine(**{f"GET_{path}": EngineError(404, "not found")})

    assert kind(engine).read("x", SERVICE, SERVICE) is None


def test_a_network_without_gateway_is_replaced() -> None:
    live = {
        "Name": "n",
        "Driver": "overlay",
        "Scope": "swarm",
        "IPAM": {"Config": [{"Subnet": "10.0.10.0/24", "Gateway": "10.0.10.1"}]},
    }
    kind: Any = Network(FakeEngine(GET_networks=live))
    without = {"name": "n", "driver": "overlay", "ipamConfigs": [{"subnet": "10.0.10.0/24"}]}
    named = {"name": "n", "driver": "overlay", "ipamConfigs": [{"subnet": "10.0.10.0/24", "gateway": "10.0.10.1"}]}

    assert diff(kind, kind.read("n1", without, {})[1], without).replaces == ["ipamConfigs"]
    assert diff(kind, kind.read("n1", named, {})[1], named).changes is False


def test_a_network_with_options_is_replaced_unless_the_vxlan_number_is_among_them() -> None:
    number = {"com.docker.network.driver.overlay.vxlanid_list": "4097"}
    live = {"Name": "n", "Driver": "overlay", "Scope": "swarm", "Options": {"encrypted": "", **number}}
    kind: Any = Network(FakeEngine(GET_networks=live))
    without = {"name": "n", "driver": "overlay", "options": {"encrypted": ""}}
    chosen = {"name": "n", "driver": "overlay", "options": {"encrypted": "", **number}}

    assert diff(kind, kind.create(without, "n")[1], without).replaces
    assert diff(kind, kind.create(chosen, "n")[1], chosen).changes is False
    assert diff(kind, kind.create({"name": "n", "driver": "overlay"}, "n")[1], {"name": "n"}).changes is False


def test_the_driver_that_the_engine_chose_for_a_volume_is_no_difference() -> None:
    engine: Any = FakeEngine(POST_volumes={"Name": "files", "Driver": "local", "Mountpoint": "/x"})
    kind = Volume(engine)

    identifier, state = kind.create({"name": "files"}, "files")

    assert (identifier, state["mountpoint"]) == ("files", "/x")
    assert diff(kind, state, {"name": "files"}).changes is False
    assert diff(kind, state, {"name": "files", "driver": "nfs"}).replaces == ["driver"]


def test_a_service_with_a_grace_period_is_waited_for_and_fails_like_the_real_one() -> None:
    tasks = [
        {"Status": {"State": "running", "ContainerStatus": {"ContainerID": "c1"}}},
        {"Status": {"State": "shutdown", "ContainerStatus": {"ContainerID": "c0"}}},
    ]
    engine: Any = FakeEngine(GET_tasks=tasks, POST_containers__c1=TimeoutError())
    graced = {**SERVICE, "taskSpec": {"containerSpec": {"image": "x", "stopGracePeriod": "30s"}}}

    with pytest.raises(ProviderError, match="error on wait for container with ID 'c1': context deadline exceeded"):
        Service(engine).delete("s1", graced)

    assert ("DELETE", "/services/s1", {}) in engine.calls
    assert engine.calls[-1][2]["timeout"] == 30


def test_containers_on_other_engines_are_not_waited_for() -> None:
    tasks = [{"Status": {"State": "running", "ContainerStatus": {"ContainerID": "elsewhere"}}}]
    engine: Any = FakeEngine(GET_tasks=tasks, POST_containers=EngineError(404, "No such container"))
    graced = {**SERVICE, "taskSpec": {"containerSpec": {"image": "x", "stopGracePeriod": "30s"}}}

    Service(engine).delete("s1", graced)

    assert ("DELETE", "/services/s1", {}) in engine.calls


def test_a_service_is_updated_from_its_newest_version() -> None:
    engine: Any = FakeEngine(GET_services={"Version": {"Index": 42}, "Spec": SPEC})

    Service(engine).update("s1", SERVICE, {}, ())

    method, path, request = engine.calls[1]
    assert (method, path, request["params"]) == ("POST", "/services/s1/update", {"version": 42})
    assert request["json"]["Mode"] == {"Replicated": {"Replicas": 2}}


def test_an_update_sends_ignored_properties_as_in_the_state() -> None:
    engine: Any = FakeEngine(GET_services={"Version": {"Index": 42}, "Spec": SPEC})
    state = Service(engine).read("s1", SERVICE, {})
    assert state is not None
    placement = {"platforms": [{"architecture": "amd64", "os": "linux"}]}
    before = {**state[1], "taskSpec": {**state[1]["taskSpec"], "placement": placement}}
    inputs = {**SERVICE, "taskSpec": {**SERVICE["taskSpec"], "placement": {"constraints": ["a==b"]}}}

    Service(engine).update("s1", inputs, before, ["taskSpec.placement.platforms"])

    (sent,) = (request["json"] for method, _, request in engine.calls if method == "POST")
    assert sent["TaskTemplate"]["Placement"] == {
        "Constraints": ["a==b"],
        "Platforms": [{"Architecture": "amd64", "OS": "linux"}],
    }


def test_a_port_that_swarm_chose_is_in_the_state() -> None:
    endpoint = {"Spec": {"Mode": "vip"}, "Ports": [{"TargetPort": 80, "PublishedPort": 30000}]}
    engine: Any = FakeEngine(GET_services={"Spec": {**SPEC, "EndpointSpec": {"Mode": "vip"}}, "Endpoint": endpoint})

    found = Service(engine).read("s1", SERVICE, {})

    assert found is not None
    assert found[1]["endpointSpec"]["ports"][0]["publishedPort"] == 30000


def test_the_options_of_a_volume_are_sent_under_the_name_that_the_engine_accepts() -> None:
    engine: Any = FakeEngine(POST_volumes={"Name": "files", "Driver": "local", "Options": {"type": "nfs"}})

    _, state = Volume(engine).create({"name": "files", "driverOpts": {"type": "nfs"}}, "files")

    assert engine.calls[0][2]["json"] == {"Name": "files", "DriverOpts": {"type": "nfs"}}
    assert state["driverOpts"] == {"type": "nfs"}


def test_in_a_preview_of_a_new_resource_the_choices_of_the_engine_are_unknown() -> None:
    kind = Volume(FakeEngine())

    assert kind.preview({"name": "files"}, {})["mountpoint"] is UNKNOWN
    assert kind.preview({"name": "files", "driver": "nfs"}, {})["driver"] == "nfs"
    assert kind.preview({"name": "files"}, {"id": "files", "mountpoint": "/x"})["mountpoint"] == "/x"


@pytest.fixture
def context(tmp_path: Path) -> Path:
    (tmp_path / "Dockerfile").write_text("FROM x\n")
    (tmp_path / ".dockerignore").write_text("ignored\n")
    (tmp_path / "kept").write_text("1")
    return tmp_path


def image_inputs(context: Path) -> dict[str, Any]:
    build = {"context": str(context), "dockerfile": str(context / "Dockerfile")}
    return plain_map(check(Image(FakeEngine()), {"imageName": "x:1", "skipPush": True, "build": build}).inputs or {})


def test_a_changed_file_rebuilds_in_place_and_an_ignored_one_does_not(context: Path) -> None:
    before = image_inputs(context)
    (context / "ignored").write_text("2")
    assert image_inputs(context) == before

    (context / "kept").write_text("2")
    response = diff(Image(FakeEngine()), {"__inputs": before}, image_inputs(context))

    assert (response.diffs, response.replaces) == (["build"], [])


def test_a_changed_image_name_is_an_update() -> None:
    response = diff(Image(FakeEngine()), {"__inputs": {"imageName": "x:1"}}, {"imageName": "x:2"})

    assert (response.diffs, response.replaces) == (["imageName"], [])


@pytest.mark.parametrize(("server", "changed"), [("r:5000", []), ("other:5000", ["registry"])])
def test_another_login_to_the_same_registry_is_no_difference(server: str, changed: list[str]) -> None:
    old = {"imageName": "x:1", "registry": {"server": "r:5000", "username": "a", "password": "1"}}
    new = {"imageName": "x:1", "registry": {"server": server, "username": "b", "password": "2"}}

    assert diff(Image(FakeEngine()), {"__inputs": old}, new).diffs == changed


def test_deleting_an_image_leaves_it_on_the_host() -> None:
    engine: Any = FakeEngine()

    Image(engine).delete("x:1", {})

    assert engine.calls == []


def test_a_missing_dockerfile_is_named(tmp_path: Path) -> None:
    (failure,) = check(Image(FakeEngine()), {"imageName": "x", "build": {"context": str(tmp_path)}}).failures or []

    assert "could not open dockerfile" in failure.reason


def test_a_type_that_the_program_does_not_use_is_refused() -> None:
    served = provider_with(Volume(FakeEngine()), "docker:index/volume:Volume")
    urn = URN.format(type="docker:index/remoteImage:RemoteImage", name="x")

    with pytest.raises(ProviderError, match=r'no resource type "docker:index/remoteImage:RemoteImage": it has docker:'):
        asyncio.run(served.check(provider.CheckRequest(urn, {}, {}, b"")))


def test_a_refusal_for_another_reason_is_not_retried() -> None:
    asked = []

    def refuse() -> None:
        asked.append(1)
        raise EngineError(409, "something else")

    with pytest.raises(EngineError):
        retry_while(("has active endpoints",), refuse)
    assert len(asked) == 1


def test_a_tunnel_is_ready_once_its_socket_accepts_connections(tmp_path: Path) -> None:
    path = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as server:
        assert not engine_api._listens(path)
        server.bind(str(path))
        assert not engine_api._listens(path), "ssh makes the file a moment before it listens"
        server.listen()
        assert engine_api._listens(path)


class LocalEngine(EngineApi):
    """An engine on a local socket, without ssh."""

    def __init__(self, path: Path) -> None:
        self._socket = path

    def _open(self) -> None:
        pass


class Silent(socketserver.StreamRequestHandler):
    """An engine that waits for a container. It sends headers at once, but never a body."""

    def handle(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
        self.rfile.read()  # until the client disconnects


@pytest.fixture
def silent(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "docker.sock"
    with socketserver.ThreadingUnixStreamServer(str(path), Silent) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        yield path
        server.shutdown()


def test_an_answer_that_never_ends_is_a_timeout(silent: Path) -> None:
    engine = LocalEngine(silent)

    with pytest.raises(TimeoutError, match=r"POST /containers/c1/wait: no answer for 0\.1 s"):
        engine.call("POST", "/containers/c1/wait", timeout=0.1)


@pytest.mark.parametrize(
    ("image", "login"),
    [
        (
            "r.example:5000/x:1",
            {"username": "u", "password": "p", "serveraddress": "https://r.example:5000"},
        ),
        ("r.example/x:1", {}),
    ],
    ids=["of the registry", "of another"],
)
def test_a_service_gets_the_providers_login_to_the_registry_of_its_image(image: str, login: dict[str, str]) -> None:
    engine = FakeEngine(GET_services={"Spec": SPEC, "Version": {"Index": 7}})
    service = Service(engine, [{"address": "r.example:5000", "username": "u", "password": "p"}])
    inputs = {**SERVICE, "taskSpec": {"containerSpec": {"image": image}}}

    _, state = service.create(inputs, "edge")
    service.update("made", inputs, state, [])

    headers = [request["headers"]["X-Registry-Auth"] for method, _, request in engine.calls if method == "POST"]
    assert [json.loads(base64.urlsafe_b64decode(header)) for header in headers] == [login, login]
