"""The rules as policies of a Pulumi policy pack."""

from collections.abc import Callable
from typing import Any

import pulumi_policy as policy

from swarm_policy import rules
from swarm_policy.rules import Marker, Resource

_ALLOWED = "allowed"

_plain: dict[str, list[str]] = {}
"""Maps a resource's URN to what is wrong with its inputs that are not secret. Only a remediation learns from the SDK
which inputs are secret. The engine calls it before the validation."""


def main() -> None:
    """Serve the policy pack to Pulumi's engine. Violations end a preview or an update with an error."""
    policy.PolicyPack("swarm-transfer", policies(), enforcement_level=policy.EnforcementLevel.MANDATORY)


def policies() -> list[Any]:
    """Return a policy for each rule."""
    return [
        *[_service_policy(rule) for rule in rules.SERVICE_RULES],
        policy.StackValidationPolicy(rules.OWN_USER, rules.OWN_USER_DESCRIPTION, _report_shared_users),
        policy.ResourceValidationPolicy(
            rules.NO_PLAIN_SECRET,
            rules.NO_PLAIN_SECRET_DESCRIPTION,
            validate=_report_plain_secrets,
            remediate=_find_plain_secrets,
            enforcement_level=policy.EnforcementLevel.REMEDIATE,
        ),
    ]


def _service_policy(rule: rules.ServiceRule) -> Any:  # noqa: ANN401 - the SDK is not in the environment of the checks
    def validate(args: Any, report: Callable[..., None]) -> None:  # noqa: ANN401 - likewise
        allowed = args.get_config().get(_ALLOWED, rule.allowed)
        for text in rule.violations(Resource(args.resource_type, args.name, _known(args.props)), allowed):
            report(text)

    names = {"type": "array", "items": {"type": "string"}, "default": list(rule.allowed)}
    return policy.ResourceValidationPolicy(
        rule.name,
        rule.description,
        validate,
        config_schema=policy.PolicyConfigSchema({_ALLOWED: names}),
        remediation_steps=rule.remedy,
    )


def _report_shared_users(args: Any, report: Callable[..., None]) -> None:  # noqa: ANN401 - likewise
    urns = {resource.name: resource.urn for resource in args.resources if resource.resource_type == rules.SERVICE}
    resources = [Resource(found.resource_type, found.name, _known(found.props)) for found in args.resources]
    for name, text in rules.shared_users(resources):
        report(text, urns[name])


def _find_plain_secrets(args: Any) -> None:  # noqa: ANN401 - likewise
    """Remember what a resource has in the clear, and change nothing."""
    # Nothing else in the SDK tells whether a value is secret.
    inputs = _without_secrets(args.props["__target"])
    _plain[args.urn] = rules.plain_secrets(Resource(args.resource_type, args.name, inputs))


def _report_plain_secrets(args: Any, report: Callable[..., None]) -> None:  # noqa: ANN401 - likewise
    for text in _plain.pop(args.urn, []):
        report(text)


def _without_secrets(value: Any) -> Any:  # noqa: ANN401 - any input
    if isinstance(value, policy.Secret):
        return Marker.SECRET
    if isinstance(value, dict):
        return {key: _without_secrets(inner) for key, inner in value.items()}
    return [_without_secrets(inner) for inner in value] if isinstance(value, list) else value


def _known(value: Any) -> Any:  # noqa: ANN401 - any input
    """Return inputs with a marker for what is not known in a preview. The SDK raises an error when it is read."""
    if hasattr(value, "keys"):
        return {key: _known(_read(value, key)) for key in value}
    if hasattr(value, "__len__") and not isinstance(value, str | bytes):
        return [_known(_read(value, index)) for index in range(len(value))]
    return value


def _read(values: Any, key: Any) -> Any:  # noqa: ANN401 - likewise
    try:
        return values[key]
    except policy.proxy.UnknownValueError:
        return Marker.UNKNOWN
