"""InfluxDB's line protocol, in which points are stored and written back.

https://docs.influxdata.com/influxdb/v1/write_protocols/line_protocol_reference/
"""

from collections.abc import Iterator, Mapping
from typing import Any

Types = Mapping[str, frozenset[str]]
"""The types of a measurement's fields, such as `float`. A field can have several."""


class InexpressibleError(ValueError):
    """Line protocol has no way to write this."""


def lines(
    measurement: str, tags: Mapping[str, str], columns: list[str], rows: list[list[Any]], types: Types
) -> Iterator[str]:
    """Yield a line for each row of a series. The first column is the time in nanoseconds, the others are fields.

    Rows without a value are left out, and so are those with a text of several lines, which nothing here stores.

    Raises:
        InexpressibleError: a name or a tag cannot be written.
    """
    if measurement.startswith("#"):
        raise InexpressibleError("the measurement would be a comment")
    series = ",".join(
        [
            _escaped(measurement, ", "),
            # A query reports a tag that the series does not have as an empty one.
            *(f"{_escaped(key, ',= ')}={_escaped(value, ',= ')}" for key, value in sorted(tags.items()) if value),
        ]
    )
    fields = [(_escaped(name, ",= ") + "=", types.get(name, frozenset())) for name in columns[1:]]
    for time, *values in rows:
        try:
            given = [
                name + _value(value, kinds)
                for (name, kinds), value in zip(fields, values, strict=True)
                if value is not None
            ]
        except InexpressibleError:
            continue
        if given:
            yield f"{series} {','.join(given)} {time}\n"


def _has_line_break(text: str) -> bool:
    return "\n" in text or "\r" in text


def _escaped(text: str, special: str) -> str:
    if _has_line_break(text) or text.endswith("\\"):
        raise InexpressibleError("a name or tag has a line break, or a backslash at its end")
    for character in special:
        text = text.replace(character, "\\" + character)
    return text


def _value(value: Any, types: frozenset[str]) -> str:  # noqa: ANN401 - whatever JSON has
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            if _has_line_break(value):
                raise InexpressibleError("a text has several lines")
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        case int() if types and types <= {"integer", "unsigned"}:
            return f"{value}{'u' if types == {'unsigned'} else 'i'}"
    return repr(value)  # JSON has 1 for the float 1.0, so a whole number is a float unless the field is of integers
