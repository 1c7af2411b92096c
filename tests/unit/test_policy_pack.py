"""How the rules get to Pulumi. Its SDK for policies is in an environment of its own, so a stand-in takes its place."""

import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from swarm_policy import rules


class UnknownValueError(Exception):
    pass


@dataclass
class Secret:
    value: Any


@dataclass
class Policy:
    name: str
    description: str
    validate: Callable[..., None]
    remediate: Callable[..., None] | None = None
    enforcement_level: str = ""
    config_schema: Any = None
    remediation_steps: str = ""


@dataclass
class Inputs:
    """As the SDK's, which are no dictionaries and raise an error for what is not known."""

    values: dict[str, Any]

    def __getitem__(self, key: str) -> Any:
        if key == "__target":
            return self.values
        if self.values[key] == "unknown":
            raise UnknownValueError
        value = self.values[key]
        return Inputs(value) if isinstance(value, dict) else value

    def __iter__(self) -> Any:
        return iter(self.values)

    def keys(self) -> Any:
        return self.values.keys()


@dataclass
class Args:
    props: Inputs
    name: str = "hello"
    resource_type: str = rules.SERVICE
    config: dict[str, Any] = field(default_factory=dict)

    @property
    def urn(self) -> str:
        return f"urn:{self.resource_type}::{self.name}"

    def get_config(self) -> dict[str, Any]:
        return self.config


@pytest.fixture
def pack(monkeypatch: pytest.MonkeyPatch) -> Any:
    sdk: Any = ModuleType("pulumi_policy")
    sdk.ResourceValidationPolicy = sdk.StackValidationPolicy = Policy
    sdk.PolicyConfigSchema = dict
    sdk.EnforcementLevel = SimpleNamespace(MANDATORY="mandatory", REMEDIATE="remediate")
    sdk.Secret = Secret
    sdk.proxy = SimpleNamespace(UnknownValueError=UnknownValueError)
    sdk.PolicyPack = lambda name, policies, **options: served.append((name, policies, options))
    sdk.served = served = []
    monkeypatch.setitem(sys.modules, "pulumi_policy", sdk)
    monkeypatch.delitem(sys.modules, "swarm_policy.pack", raising=False)
    return importlib.import_module("swarm_policy.pack")


def policies(pack: Any) -> dict[str, Policy]:
    return {policy.name: policy for policy in pack.policies()}


def said_of(policy: Policy, args: Any) -> list[str]:
    found: list[str] = []
    policy.validate(args, lambda text, *_: found.append(text))
    return found


def test_the_pack_has_every_rule_and_a_violation_is_an_error(pack: Any) -> None:
    pack.main()
    ((_, served, options),) = pack.policy.served

    assert {policy.name for policy in served} == {
        *(rule.name for rule in rules.SERVICE_RULES), rules.OWN_USER, rules.NO_PLAIN_SECRET
    }  # fmt: skip
    assert options == {"enforcement_level": "mandatory"}
    # The SDK tells only a policy of this level which inputs are secret. Its violations are as mandatory as the others'.
    assert {policy.name for policy in served if policy.enforcement_level} == {rules.NO_PLAIN_SECRET}


def test_what_is_not_known_in_a_preview_breaks_no_rule(pack: Any) -> None:
    rule = policies(pack)["image-pinned"]

    assert said_of(rule, Args(Inputs({"taskSpec": {"containerSpec": {"image": "unknown"}}}))) == []
    assert len(said_of(rule, Args(Inputs({"taskSpec": {"containerSpec": {"image": "hello:1"}}})))) == 1


def test_a_stack_lists_the_services_that_it_excepts(pack: Any) -> None:
    inputs = Inputs({"taskSpec": {"containerSpec": {"user": "0:10013"}}})
    rule = policies(pack)["not-root"]

    assert said_of(rule, Args(inputs, name="docker-api")) == []
    assert said_of(rule, Args(inputs, name="docker-api", config={"allowed": ["hello"]}))
    assert said_of(rule, Args(inputs, config={"allowed": ["hello"]})) == []


def test_a_shared_user_is_reported_at_the_later_service(pack: Any) -> None:
    inputs = Inputs({"taskSpec": {"containerSpec": {"user": "10100:10100"}}})
    component = Args(Inputs({}), name="two", resource_type="swarm:swarm_service:SwarmService")
    found: list[tuple[str, str]] = []
    args = SimpleNamespace(resources=[Args(inputs, name="one"), Args(inputs, name="two"), component])

    policies(pack)[rules.OWN_USER].validate(args, lambda text, urn: found.append((text.partition(":")[0], urn)))

    assert found == [("two", f"urn:{rules.SERVICE}::two")]


def test_a_secret_in_the_clear_is_reported_once_and_an_encrypted_one_is_not(pack: Any) -> None:
    rule = policies(pack)[rules.NO_PLAIN_SECRET]
    key = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA=="
    args = Args(Inputs({"stdin": [key, Secret(key)]}), resource_type="command:local:Command")
    assert rule.remediate

    assert rule.remediate(args) is None

    assert [text.partition(": make")[0] for text in said_of(rule, args)] == [
        "hello: no-plain-secret: stdin[0] has a private key"
    ]
    assert said_of(rule, args) == []
