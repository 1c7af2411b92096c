"""The user's own settings for the demo, in `demo.yaml`. They are read each time, and override the lab's settings."""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from lab.packages import LabError
from lab.paths import Lab
from settings import Settings
from settings.errors import secret_remedy
from settings.paths import Location, field_names, set_locations
from settings.secrets import secret_paths

_SET_BY_THE_LAB = ("images", "ssh")


def read(lab: Lab) -> dict[str, Any]:
    """Return the settings in `demo.yaml`, without the project's prefix; empty if there is no file.

    Secrets are refused, since the file is not encrypted. Rules that involve several settings are left to the program.

    Raises:
        LabError: the file cannot be used. The message is one line with the file's name, the cause and the remedy.
    """
    file = lab.own_settings_file
    if file is None or not file.exists():
        return {}
    try:
        values = yaml.safe_load(file.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise LabError(f"{file.name} {_cause(error)}: correct it, or delete the file") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise LabError(
            f"{file.name} is not a mapping but {values!r}: "
            "write one setting per line, such as `file_service: {replicas: 4}`"
        )
    for problem in _problems(values):
        raise LabError(f"{file.name}: {problem}")
    return values


def _cause(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return f"is not YAML in line {error.problem_mark.line + 1} ({error.problem})"
    return "cannot be read (" + " ".join(str(error).split()) + ")"


def _problems(values: Mapping[Any, Any]) -> Iterator[str]:
    for path in secret_paths(Settings):
        for location in set_locations(values, path):
            yield f"{_name(location)} is a secret, and this file is not encrypted: remove it, and {_remedy(path)}"
    for name in _SET_BY_THE_LAB:
        if name in values:
            yield f"{name} is set by the lab itself: remove it"
    try:
        Settings.model_validate(values)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            # A missing value comes from the lab's own settings, except within a list, which replaces the lab's list.
            # A rule about several settings (`value_error`) can only be checked on the merged settings.
            in_lab_settings = detail["type"] == "missing" and (detail["loc"][0] != "hosts" or len(detail["loc"]) == 1)
            if not in_lab_settings and detail["type"] != "value_error":
                yield _problem(detail)


def _problem(detail: ErrorDetails) -> str:
    name, reason = _name(detail["loc"]), detail["msg"]
    if detail["type"] == "extra_forbidden":
        known = [field for field in field_names(Settings, detail["loc"][:-1]) if field not in _SET_BY_THE_LAB]
        return f"{name} is not a setting: remove it, or use one of: {', '.join(known)}"
    if detail["type"] == "missing":
        return f"{name} is missing: add it"
    return f"{name} is {detail['input']!r}: {reason[:1].lower()}{reason[1:]}: correct it"


def _remedy(path: str) -> str:
    """Return how to set the secret in the demo's encrypted configuration."""
    return secret_remedy(path).replace("`pulumi", "`lab/exec pulumi", 1)


def _name(location: Location) -> str:
    return ".".join(map(str, location))
