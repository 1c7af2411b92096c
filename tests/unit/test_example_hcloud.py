"""The example for Hetzner Cloud: one program creates servers, their keys and a cluster. No cloud is asked."""

import asyncio
import importlib
import json
import runpy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import installed
import pulumi
import pytest
import yaml
from pulumi.runtime import mocks, rpc
from pulumi.runtime.config import set_all_config
from recorder import FRESH, Monitor, Recorder, revealed

EXAMPLE = installed.ROOT / "examples" / "hcloud"
PUBLIC = {
    "manager": "ssh-ed25519 AAAAmanager",
    "worker1": "ssh-ed25519 AAAAworker1",
    "worker2": "ssh-ed25519 AAAAworker2",
}
ADDRESSES = {"manager": "198.51.100.2", "worker1": "198.51.100.3", "worker2": "198.51.100.4"}
OPERATOR = "ssh-ed25519 AAAAoperator"


@dataclass
class Cloud(Recorder):
    """A mock of Hetzner Cloud. In a preview, nothing is known that only a created resource has."""

    preview: bool = False
    secret_outputs: dict[str, list[str]] = field(default_factory=dict)
    """The outputs that are declared to be secret, by the resource's name."""
    ignored: dict[str, list[str]] = field(default_factory=dict)
    """The inputs whose changes are ignored, by the resource's name."""
    up: set[str] = field(default_factory=set)
    """The servers, by address, that have said that they have their private address. The first answer is without it."""
    asked: dict[str, list[str]] = field(default_factory=dict)
    """The options with which each address was asked."""

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        identifier, outputs = super().new_resource(args)
        late: dict[str, Any] = {}
        if args.typ == "hcloud:index/server:Server":
            late = {"ipv4Address": ADDRESSES[args.name]}
        elif args.typ == "tls:index/privateKey:PrivateKey":
            name = args.name.removesuffix("-host-key")
            private = f"-----BEGIN OPENSSH PRIVATE KEY-----\nof {name}\n-----END OPENSSH PRIVATE KEY-----\n"
            late = {"privateKeyOpenssh": private, "publicKeyOpenssh": f"{PUBLIC[name]}\n"}
        elif args.typ == "command:local:Command":
            late = {"stdout": outputs["stdout"]}
        if args.typ.startswith("hcloud:"):
            identifier = str(100 + len(self.resources))
        if self.preview:
            return None, outputs | dict.fromkeys(late, rpc.UNKNOWN)
        return identifier, outputs | late

    def addresses(self) -> dict[str, str]:
        """The address that each command logs in to, by the command's name."""
        found = {name: command.get("interpreter") for name, command in self.commands().items()}
        return {name: interpreter[-1].partition("@")[2] for name, interpreter in found.items() if interpreter}


class CloudMonitor(Monitor):
    """A monitor that also records the options that the mocks do not receive."""

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the protocol's name
        self.mocks.secret_outputs[request.name] = list(request.additionalSecretOutputs)
        self.mocks.ignored[request.name] = list(request.ignoreChanges)
        return super().RegisterResource(request)


@pytest.fixture(scope="module")
def _site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The installed components, on Python's path."""
    with installed.importable(tmp_path_factory.mktemp("installed"), "machines"):
        yield


@pytest.fixture
def run(
    _site: None, loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., Cloud]:
    """A function that runs the example with its own settings and others, and returns what was registered."""
    key = tmp_path / "id_ed25519"
    key.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nof the operator\n")
    Path(f"{key}.pub").write_text(f"{OPERATOR} somebody@example\n")

    def run(*, preview: bool = False, **settings: Any) -> Cloud:
        cloud = Cloud(preview=preview)
        readiness = importlib.import_module("swarm_transfer.components.readiness")
        preflight = importlib.import_module("swarm_transfer.components.preflight")
        monkeypatch.setattr(readiness, "wait", lambda _manager, service, **_: cloud.ready.append(service))
        monkeypatch.setattr(readiness, "wait_for_answers", lambda _manager, urls, **_: cloud.ready.extend(urls))

        def ask(target: Any, *_: Any, **__: Any) -> str:
            public = f"{FRESH}interface|eth0|{target.address}/32|1500\n"
            if target.address not in cloud.asked:
                cloud.asked[target.address] = target.options
                return public
            cloud.up.add(target.address)
            return f"{public}interface|enp7s0|10.1.0.{target.address.rpartition('.')[2]}/32|1450\n"

        monkeypatch.setattr(preflight, "ask", ask)
        monkeypatch.setattr(preflight, "time", SimpleNamespace(monotonic=lambda: 0, sleep=lambda _seconds: None))
        monkeypatch.chdir(EXAMPLE)
        monkeypatch.syspath_prepend(str(EXAMPLE))
        mocks.set_mocks(cloud, "files-at-hetzner", "dev", preview=preview, monitor=CloudMonitor(cloud))
        config = yaml.safe_load(Path("Pulumi.dev.yaml").read_text())["config"]
        own = {"private_key_file": str(key), "operators": ["203.0.113.7/32"]} | settings
        config |= {f"files-at-hetzner:{name}": value for name, value in own.items()}
        set_all_config({name: value if isinstance(value, str) else json.dumps(value) for name, value in config.items()})

        async def program() -> None:
            runpy.run_path("__main__.py", run_name="__main__")

        loop.run_until_complete(pulumi.runtime.stack.run_pulumi_func(program))
        return cloud

    return run


def test_all_resources_are_registered(run: Callable[..., Cloud]) -> None:
    cloud = run(workers=2)

    assert cloud.of_type("hcloud:index/server:Server").keys() == set(ADDRESSES)
    assert cloud.of_type("tls:index/privateKey:PrivateKey").keys() == {f"{name}-host-key" for name in ADDRESSES}
    assert cloud.services().keys() == {"files", "edge"}
    assert {f"{name}-membership" for name in ADDRESSES} <= cloud.commands().keys()
    assert set(cloud.ready) == {"files", "edge", *(f"http://10.1.0.{n}:5001/readyz" for n in (2, 3, 4))}


def test_the_commands_and_the_engines_reach_the_created_address_and_accept_only_the_created_host_key(
    run: Callable[..., Cloud],
) -> None:
    cloud = run()

    at = cloud.addresses()
    assert (at["manager-membership"], at["manager-images"]) == (ADDRESSES["manager"], ADDRESSES["manager"])
    assert (at["worker1-membership"], at["worker1-node"]) == (ADDRESSES["worker1"], ADDRESSES["manager"])
    engines = cloud.of_type("pulumi:providers:docker")
    assert engines["worker1-engine"]["host"] == f"ssh://swarm@{ADDRESSES['worker1']}"
    assert engines["swarm-engine"]["host"] == f"ssh://swarm@{ADDRESSES['manager']}"
    names = {address: name for name, address in ADDRESSES.items()}
    uses = [
        *((at[name], cloud.commands()[name]["interpreter"]) for name in at),
        *((engine["host"].partition("@")[2], json.loads(engine["sshOpts"])) for engine in engines.values()),
        *cloud.asked.items(),
    ]
    assert len(uses) > 10
    for address, words in uses:
        keys = [word for word in words if word.startswith("KnownHostsCommand=")]
        assert keys == [f"KnownHostsCommand=/usr/bin/env echo %H {PUBLIC[names[address]]}"]
        assert "StrictHostKeyChecking=yes" in words
        assert "UserKnownHostsFile=none" in words


def test_the_servers_form_the_swarm_in_their_private_network(run: Callable[..., Cloud]) -> None:
    commands = run().commands()

    assert "ADDRESS=10.1.0.2\n" in commands["manager-membership"]["create"]
    request = json.loads(revealed(commands["worker1-membership"]["stdin"]))
    assert (request["AdvertiseAddr"], request["RemoteAddrs"]) == ("10.1.0.3", ["10.1.0.2:2377"])


def test_a_server_is_asked_until_it_has_its_private_address(run: Callable[..., Cloud]) -> None:
    assert run(workers=2).up == set(ADDRESSES.values())


def test_what_counts_when_a_server_is_made_does_not_replace_it_later(run: Callable[..., Cloud]) -> None:
    cloud = run()

    for name in cloud.of_type("hcloud:index/server:Server"):
        assert set(cloud.ignored[name]) == {"image", "sshKeys", "userData"}


def test_the_overlay_networks_fit_into_the_private_network_s_packets(run: Callable[..., Cloud]) -> None:
    networks = run().of_type("docker:index/network:Network")

    assert {network["options"]["com.docker.network.driver.mtu"] for network in networks.values()} == {"1450"}


def test_cloud_init_brings_the_host_key_as_a_secret_and_no_private_key_of_the_operator(
    run: Callable[..., Cloud],
) -> None:
    cloud = run()

    for name, server in cloud.of_type("hcloud:index/server:Server").items():
        text = revealed(server["userData"])
        settings = yaml.safe_load(text)
        assert text.startswith("#cloud-config\n")
        assert f"of {name}\n" in settings["ssh_keys"]["ed25519_private"]
        assert settings["ssh_keys"]["ed25519_public"].strip() == PUBLIC[name]
        (user,) = settings["users"]
        assert user["ssh_authorized_keys"] == [f"{OPERATOR} somebody@example"]
        assert user["groups"] == ["docker"]
        assert "docker.io" in settings["packages"]
        assert "of the operator" not in text
    everything = json.dumps([args.inputs for args in cloud.resources], default=str)
    assert "of the operator" not in everything
    for resource in cloud.resources:
        if resource.typ != "hcloud:index/server:Server":
            assert "PRIVATE KEY" not in json.dumps(resource.inputs, default=str), resource.name


def test_the_servers_have_the_same_engine_and_ssh_settings_as_other_hosts() -> None:
    files = yaml.safe_load((EXAMPLE / "cloud-config.yaml").read_text())["write_files"]
    written = {file["path"].rpartition("/")[2]: file["content"] for file in files}
    hosts = installed.ROOT / "hosts" / "container"

    def settings(text: str) -> set[str]:
        return {line for line in text.splitlines() if line and not line.startswith("#")}

    assert json.loads(written["daemon.json"]) == json.loads((hosts / "daemon.json").read_text())
    assert settings(written["00-swarm-transfer.conf"]) == settings((hosts / "sshd.conf").read_text())


def test_the_private_host_keys_are_secret_outputs(run: Callable[..., Cloud]) -> None:
    cloud = run()

    for name in cloud.of_type("tls:index/privateKey:PrivateKey"):
        assert "privateKeyOpenssh" in cloud.secret_outputs[name]


def test_the_firewall_lets_in_ssh_from_the_operators_and_the_edge_s_port_from_everybody(
    run: Callable[..., Cloud],
) -> None:
    cloud = run()

    ((firewall, inputs),) = cloud.of_type("hcloud:index/firewall:Firewall").items()
    rules = {(rule["protocol"], rule.get("port")): rule["sourceIps"] for rule in inputs["rules"]}
    everybody = ["0.0.0.0/0", "::/0"]
    assert rules == {("tcp", "22"): ["203.0.113.7/32"], ("tcp", "5001"): everybody, ("icmp", None): everybody}
    assert {rule["direction"] for rule in inputs["rules"]} == {"in"}
    for name, server in cloud.of_type("hcloud:index/server:Server").items():
        assert firewall in cloud.dependencies[name]
        assert len(server["firewallIds"]) == 1


def test_a_preview_of_new_servers_shows_all_resources_and_asks_no_host(run: Callable[..., Cloud]) -> None:
    shown, made = run(preview=True), run()

    assert {(each.typ, each.name) for each in shown.resources} == {(each.typ, each.name) for each in made.resources}
    assert shown.asked == {}
    assert shown.ready == []
    late = made.commands()["worker1-membership"].keys() - shown.commands()["worker1-membership"].keys()
    assert late == {"interpreter", "create", "stdin"}, "what a preview cannot know is left open"


def test_the_file_service_is_not_open_to_everybody(run: Callable[..., Cloud]) -> None:
    cloud = run()

    assert json.loads(cloud.secret("files-tokens"))["operator"]["scopes"] == ["read", "write", "delete"]


def test_a_certificate_and_its_name_are_used_if_they_are_set(run: Callable[..., Cloud]) -> None:
    cloud = run(certificate="PEM", names=["files.example.org"])

    assert "ssl crt" in cloud.config("edge-config")
    assert cloud.environment("files")["FILE_TRANSFER_ALLOWED_HOSTS"] == "files.example.org"
    assert all(url.startswith("https://") for url in cloud.ready if "readyz" in url)


def test_a_missing_public_key_is_named_with_the_remedy(run: Callable[..., Cloud], tmp_path: Path) -> None:
    with pytest.raises(pulumi.RunError, match=r'private_key_file: ".*other\.pub" cannot be read .*: write it with'):
        run(private_key_file=str(tmp_path / "other"))
