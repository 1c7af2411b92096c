"""Error messages for invalid settings: one line each, with the field, the value and the remedy."""

from collections.abc import Sequence

import pulumi
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from settings.paths import ANY, Location, field_names, is_at, overlaps
from settings.secrets import secret_paths

PROJECT = "swarm-transfer"


class SettingsError(pulumi.RunError):
    """The configuration cannot be used. The message has one line for each problem."""


def refusal(problems: Sequence[str]) -> SettingsError:
    """Return the error that lists these problems."""
    return SettingsError("the stack's configuration cannot be used:\n  " + "\n  ".join(problems))


def secret_remedy(path: str) -> str:
    """Return how the secret setting at this path is set.

    Whatever holds secrets under names of the user's choice is set whole: it may be stored as one JSON text, which
    `--path` would replace by an object with nothing but the one secret.
    """
    key, whole, _ = path.partition(f".{ANY}")
    if whole:
        return f"run `pulumi config set --secret {PROJECT}:{key}`, with all of {key} as JSON"
    return f"run `pulumi config set --secret {'--path ' if '.' in key else ''}{PROJECT}:{key}`"


def stored_in_the_clear(path: str, loc: Location) -> str:
    """Return the line for a secret whose key is not encrypted."""
    return f"{_field(loc)} is stored in the clear: {secret_remedy(path)}"


def inconsistent(error: ValueError) -> str:
    """Return the line for an error of `consistency.check`."""
    return f"{PROJECT}:{error}"


def invalid(error: ValidationError, model: type[BaseModel], *, encrypted: frozenset[str]) -> list[str]:
    """Return a line for each problem that was found in the values of a model.

    Pydantic's own text is not used, because it contains values. Here a value is hidden if a secret may be in it, or
    if its key is among `encrypted`.
    """
    return [_line(detail, model, encrypted) for detail in error.errors(include_url=False)]


def _line(detail: ErrorDetails, model: type[BaseModel], encrypted: frozenset[str]) -> str:
    loc, reason = detail["loc"], detail["msg"].removeprefix("Value error, ")
    field = _field(loc)
    secret = next((path for path in secret_paths(model) if is_at(path, loc)), None)
    match detail["type"]:
        case "missing":
            remedy = secret_remedy(secret) if secret else "set it in the stack's configuration file"
            return f"{field} is missing: {remedy}"
        case "extra_forbidden":
            known = ", ".join(field_names(model, loc[:-1]))
            value = _shown(detail, model, encrypted, around=loc[:-1])
            return f"{field} is not a setting (value {value}): remove it, or use one of: {known}"
        case "value_error" if isinstance(detail["input"], dict | list):
            # The validators of objects and lists name value and remedy.
            return f"{field}: {reason}"
        case _ if secret:
            return f"{field}: {reason}: {secret_remedy(secret)}"
        case _:
            value = _shown(detail, model, encrypted, around=loc)
            return f"{field}: {value}: {reason}: change it in the stack's configuration file"


def _shown(detail: ErrorDetails, model: type[BaseModel], encrypted: frozenset[str], *, around: Location) -> str:
    """Return the value as the error shows it: not at all if `around` holds a secret, or is within one."""
    # `around` is empty for an unknown key at the top level. Its value is shown unless the key is encrypted.
    holds_secret = around and any(overlaps(path, around) for path in secret_paths(model))
    if holds_secret or encrypted.intersection(detail["loc"][:1]):
        return "(hidden)"
    return f'"{detail["input"]}"'


def _field(loc: Location) -> str:
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in loc)
    return f"{PROJECT}:{path.removeprefix('.')}"
