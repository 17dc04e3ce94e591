"""The members of a row's usage, under the names of a usage's members, as the options of its file say."""

from typing import Any, Final

from amberflo_workflows.core.canonical import format_number, normalize_text
from amberflo_workflows.core.file_options import OWN_MEMBERS, FileOptions, LongDimensions, find_nested
from amberflo_workflows.core.json_text import parse_json
from amberflo_workflows.core.usage_record import MAX_TEXT_LENGTH

_NUMBER_MEMBERS: Final = ("meterValue", "meterTimeInMillis")


def build_usage(members: dict[str, Any], options: FileOptions) -> dict[str, Any]:
    """Return the usage of a row; without a meter and a value if the options name several meters."""
    usage = _map_columns(members, options)
    if options.format == "csv":
        # CSV has text only: an empty field is an absent member, and numbers have to be parsed.
        usage = {member: value for member, value in usage.items() if value}
        usage |= {member: _parse_number(usage[member]) for member in _NUMBER_MEMBERS if member in usage}
    usage |= options.constants
    return usage if options.long_dimensions == "refuse" else _limit_dimensions(usage, options.long_dimensions)


def build_meter_members(members: dict[str, Any], options: FileOptions) -> list[dict[str, Any]]:
    """Return the meter and the value of each usage of a row; a value that is absent in the row is absent."""
    usages: list[dict[str, Any]] = []
    for meter, column in options.meters.items():
        value = members[column] if column in members else find_nested(members, column)
        if options.format == "csv":
            value = _parse_number(value) if value else None
        usages.append({"meterApiName": meter} if value is None else {"meterApiName": meter, "meterValue": value})
    return usages


def _map_columns(members: dict[str, Any], options: FileOptions) -> dict[str, Any]:
    rest = {column: value for column, value in members.items() if column not in options.ignore}
    mapped: dict[str, Any] = {}
    nested: list[str] = []
    for member, column in options.columns.items():
        if column in rest:
            mapped[member] = rest.pop(column)
        elif column not in members:
            nested.append(column)
            if (value := find_nested(members, column)) is not None:
                mapped[member] = value
    for column in options.meters.values():
        if column in members:
            rest.pop(column, None)
        else:
            nested.append(column)
    for column in nested:
        _leave_out_nested(rest, column)
    return (_select_columns(rest, options) if options.only else rest) | mapped


def _leave_out_nested(rest: dict[str, Any], column: str) -> None:
    """Leave out the object that has a nested member, since an object cannot be a dimension."""
    first, *names = column.split(".")
    value = rest.get(first)
    if not (names and isinstance(value, dict)):
        return
    if first == "dimensions":
        rest[first] = {name: inner for name, inner in value.items() if name != names[0]}
    else:
        del rest[first]


def _select_columns(rest: dict[str, Any], options: FileOptions) -> dict[str, Any]:
    selected = {name: value for name, value in rest.items() if name in OWN_MEMBERS or options.is_dimension(name)}
    inner = rest.get("dimensions")
    if "dimensions" not in selected and isinstance(inner, dict):
        selected["dimensions"] = {name: value for name, value in inner.items() if name in options.only}
    return selected


def _parse_number(text: str) -> Any:
    """Return the number if the text is one in JSON, else the text."""
    number = parse_json(text)
    return number if isinstance(number, int | float) and not isinstance(number, bool) else text


def _limit_dimensions(members: dict[str, Any], rule: LongDimensions) -> dict[str, Any]:
    """Leave out dimensions that are too long, or cut their values."""
    limited: dict[str, Any] = {}
    for name, value in members.items():
        if name in OWN_MEMBERS:
            limited[name] = value
        elif isinstance(value, dict):
            limited[name] = _limit_dimensions(value, rule) if name == "dimensions" else value
        elif len(text := _format_value(value)) <= MAX_TEXT_LENGTH:
            if rule == "cut" or len(normalize_text(name)) <= MAX_TEXT_LENGTH:
                limited[name] = value
        elif rule == "cut":
            limited[name] = text[:MAX_TEXT_LENGTH]
    return limited


def _format_value(value: Any) -> str:
    """Return a dimension's value as its record has it; an empty text if it is too short or invalid anyway."""
    if isinstance(value, str):
        return normalize_text(value)
    return format_number(value) if isinstance(value, int | float) else ""
