"""The words for settings that cannot be used: the field, the value, the remedy."""

from collections.abc import Callable, Sequence
from typing import Any

Location = tuple[int | str, ...]

_SECRETS = (
    "alerting.heartbeat_url",
    "alerting.smtp_password",
    "alerting.webhook_url",
    "edge_certificate",
    "influxdb_reader_password",
    "influxdb_writer_password",
    "operator_password",
    "registry.password",
    "storage_key",
)

_WHOLES = ("", "alerting", "alerting.for", "file_service", "hosts")
"""Whose errors name what is wrong in them themselves: the whole value would say less, or too much."""


def secret_remedy(project: str, key: str) -> str:
    """How a secret is set."""
    path = " --path" if "." in key else ""
    return f"run `pulumi config set --secret{path} {project}:{key}`"


def problem(
    project: str,
    fields_at: Callable[[Location], Sequence[str]],
    *,
    type: str,  # noqa: A002 - pydantic's names
    loc: Location,
    msg: str,
    input: Any,  # noqa: A002, ANN401 - as above
    **_: Any,  # noqa: ANN401 - as above
) -> str:
    """One line for one of pydantic's error details; `fields_at` names the settings that a location can have."""
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).lstrip(".")
    field = f"{project}:{path}" if path else project
    secret = path in _SECRETS or path.startswith("tokens.")
    reason = msg.removeprefix("Value error, ")
    match type:
        case "missing" if secret:
            return f"{field} is missing: {secret_remedy(project, path)}"
        case "missing":
            return f"{field} is missing: set it in the stack's configuration file"
        case "extra_forbidden":
            known = ", ".join(sorted(fields_at(loc[:-1])))
            return f"{field} is not a setting (value «{input}»): remove it, or use one of: {known}"
        case "value_error" if path in _WHOLES:
            return f"{field}: {reason}"
        case _ if secret:
            return f"{field}: {reason}: {secret_remedy(project, path)}"
        case _:
            return f"{field}: «{input}»: {reason}: change it in the stack's configuration file"
