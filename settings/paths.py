"""Where in the settings something is, derived from the models' types.

A path names every place of one kind: "registry.password", or "tokens.*.token", where `*` is any key of a mapping or any
index of a list. A location is one place: ("tokens", "ci", "token").
"""

from collections.abc import Iterable, Iterator
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

Location = tuple[int | str, ...]

ANY = "*"


def types_by_path(annotation: Any) -> Iterator[tuple[str, type]]:  # noqa: ANN401 - `Mapping[str, int]` is not a `type`
    """Yield every class that a value of this type can hold, with its path; the value's own path is empty."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from types_by_path(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for member in get_args(annotation):
            yield from types_by_path(member)
    elif origin:
        for argument in get_args(annotation):
            yield from _below(ANY, argument)
    elif isinstance(annotation, type):
        yield "", annotation
        if issubclass(annotation, BaseModel):
            for name, field in annotation.model_fields.items():
                yield from _below(field.alias or name, field.annotation)


def is_at(path: str, loc: Location) -> bool:
    """Tell whether the location is one of the path's."""
    return len(_parts(path)) == len(loc) and overlaps(path, loc)


def overlaps(path: str, loc: Location) -> bool:
    """Tell whether the location is one of the path's, or above or below one."""
    return all(part in (ANY, str(step)) for part, step in zip(_parts(path), loc, strict=False))


def set_locations(values: Any, path: str) -> Iterator[Location]:  # noqa: ANN401 - as the configuration file has it
    """Yield each of the path's locations that has a value which is not empty."""
    return _set_below(values, _parts(path))


def field_names(model: type[BaseModel], loc: Location) -> list[str]:
    """Return the names of the settings that the object at this location can have, sorted."""
    return sorted(
        field.alias or name
        for path, found in types_by_path(model)
        if issubclass(found, BaseModel) and is_at(path, loc)
        for name, field in found.model_fields.items()
    )


def _below(part: str, annotation: Any) -> Iterator[tuple[str, type]]:  # noqa: ANN401 - as `types_by_path`
    for path, found in types_by_path(annotation):
        yield f"{part}.{path}".rstrip("."), found


def _set_below(value: Any, parts: list[str]) -> Iterator[Location]:  # noqa: ANN401 - as `set_locations`
    if not parts:
        if value:
            yield ()
        return
    items: Iterable[tuple[int | str, Any]] = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for step, inner in items:
        if parts[0] in (ANY, step):
            yield from ((step, *rest) for rest in _set_below(inner, parts[1:]))


def _parts(path: str) -> list[str]:
    return path.split(".") if path else []
