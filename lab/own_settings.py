"""The user's own settings of the demo, `demo.yaml`: read anew each time, laid over the lab's."""

from collections.abc import Iterator, Mapping
from typing import Any, get_args

import yaml
from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_core import ErrorDetails

from lab import configuration
from lab.packages import LabError
from lab.paths import Lab
from settings import Settings

_SET_BY_THE_LAB = ("images", "ssh")


def read(lab: Lab) -> dict[str, Any]:
    """The settings as in the stack's configuration, without the project's prefix; none if there is no file.

    Refuses secrets: the file is in the clear. What a value may be is left to the program, where it depends on others.

    Raises:
        LabError: the file cannot be used; one line with its name, the cause and the remedy.
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
            "write one setting a line, such as `file_service: {replicas: 4}`"
        )
    for problem in _problems(values):
        raise LabError(f"{file.name}: {problem}")
    return values


def _cause(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return f"is not YAML in line {error.problem_mark.line + 1} ({error.problem})"
    return "cannot be read (" + " ".join(str(error).split()) + ")"


def _problems(values: Mapping[Any, Any]) -> Iterator[str]:
    for path in _secrets(values):
        option = "--path " if "." in path else ""
        yield (
            f"{path} is a secret, and this file is in the clear: remove it, and run "
            f"`lab/exec pulumi config set --secret {option}{configuration.key(path)}`"
        )
    for name in _SET_BY_THE_LAB:
        if name in values:
            yield f"{name} is set by the lab itself: remove it"
    try:
        Settings.model_validate(values)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            # The lab's own settings have what is missing here, except within a list, which takes the place of theirs.
            # A rule about several settings needs all of them.
            elsewhere = detail["type"] == "missing" and (detail["loc"][0] != "hosts" or len(detail["loc"]) == 1)
            if not elsewhere and detail["type"] != "value_error":
                yield _problem(detail)


def _problem(detail: ErrorDetails) -> str:
    *parents, _ = location = detail["loc"]
    path = ".".join(map(str, location))
    if detail["type"] == "extra_forbidden":
        known = set(_fields(_model_at(parents))) - set(_SET_BY_THE_LAB)
        return f"{path} is not a setting: remove it, or use one of: {', '.join(sorted(known))}"
    if detail["type"] == "missing":
        return f"{path} is missing: add it"
    return f"{path} is {detail['input']!r}: {detail['msg'][:1].lower()}{detail['msg'][1:]}: correct it"


def _model_at(location: list[int | str]) -> type[BaseModel]:
    """The model of the settings at a location such as ("hosts", 0)."""
    model: type[BaseModel] = Settings
    for part in location:
        # The others are positions in a list, and names that the user has chosen.
        if part in _fields(model):
            model = _models(_fields(model)[str(part)])[0]
    return model


def _secrets(values: Mapping[Any, Any]) -> Iterator[str]:
    """Paths of the secrets in these settings."""
    for name, annotation in _fields(Settings).items():
        if name not in values:
            continue
        if SecretStr in _types(annotation):
            yield name
        names = {
            field
            for model in _models(annotation)
            for field, type_ in _fields(model).items()
            if SecretStr in _types(type_)
        }
        yield from (f"{name}.{path}" for path in _paths(values[name], names))


def _paths(value: Any, names: set[str]) -> Iterator[str]:  # noqa: ANN401 - anything that YAML can hold
    """Paths in a value that end with one of the names."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key in names:
                yield key
            else:
                yield from (f"{key}.{path}" for path in _paths(item, names))


def _fields(model: type[BaseModel]) -> dict[str, Any]:
    """Type of each setting of a model, by the name that it has in the configuration."""
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}


def _models(annotation: Any) -> list[type[BaseModel]]:  # noqa: ANN401 - any type
    return [part for part in _types(annotation) if isinstance(part, type) and issubclass(part, BaseModel)]


def _types(annotation: Any) -> list[Any]:  # noqa: ANN401 - as above
    """The type and all types that it is made of, such as `Mapping[str, Token] | None`."""
    return [annotation, *(part for argument in get_args(annotation) for part in _types(argument))]
