"""Options that several commands have."""

import time
from datetime import UTC, datetime
from typing import Annotated, Final, Literal, TypeVar

import typer

from amberflo_workflows.cli.completion import complete_meter
from amberflo_workflows.cli.output import fail, note
from amberflo_workflows.operate.times import InvalidTime, parse_duration, parse_time

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]
Meter = Annotated[
    str, typer.Argument(metavar="METER", help="The meter's id or meterApiName.", autocompletion=complete_meter)
]
FileFormat = Annotated[
    Literal["csv", "ndjson"] | None,
    typer.Option("--format", help="The file's format. Default: from the extension of its name."),
]

HoursStart = Annotated[
    str, typer.Option("--from", help="Start: ISO 8601, epoch seconds, or a time ago like 7d. In full hours.")
]
HoursEnd = Annotated[str | None, typer.Option("--to", help="End, like --from. Default: now.")]

RangeStart = Annotated[
    str | None, typer.Option("--from", help="Start: ISO 8601, epoch seconds, or a time ago like 7d.")
]
RangeEnd = Annotated[str | None, typer.Option("--to", help="End, like --from. Default: now.")]
RangeLength = Annotated[
    str | None, typer.Option("--last", help="Length of time before the end, like 7d. Default: 24h.")
]

_HOUR: Final = 3600
_DEFAULT_LAST: Final = "24h"

OptionText = TypeVar("OptionText", str | None, list[str] | None)


def reject_empty(parameter: typer.CallbackParam, value: OptionText) -> OptionText:
    """Fail if an option that limits a command to some tenants or usages is empty: its variable may not be set."""
    texts = [value] if isinstance(value, str) else value or []
    if not all(text.strip() for text in texts):
        raise fail(f"{parameter.opts[0]} is empty; set a value, or omit the option", 2)
    return value


def parse_time_option(option: str, text: str, now: int) -> int:
    """Parse an option's time into epoch seconds. Prints a note if it has no zone and this machine's is assumed."""
    try:
        parsed = parse_time(text, now)
    except InvalidTime as error:
        raise fail(f"{option}: {error}", 2) from None
    if parsed.assumed:
        note(f"{option} {text} is taken as {parsed.assumed}, in the time zone of this machine.")
    return parsed.seconds


def parse_range(start_text: str | None, end_text: str | None, last: str | None) -> tuple[int, int]:
    """Parse the options ``--from``, ``--to`` and ``--last`` into start and end, in epoch seconds."""
    if start_text is not None and last is not None:
        raise fail("--from and --last both set the start; use one of them", 2)
    now = int(time.time())
    end = parse_time_option("--to", end_text, now) if end_text is not None else now
    if start_text is not None:
        return parse_time_option("--from", start_text, now), end
    try:
        return end - parse_duration(_DEFAULT_LAST if last is None else last), end
    except InvalidTime as error:
        raise fail(f"--last: {error}", 2) from None


def parse_hour(option: str, text: str) -> tuple[int, int]:
    """Parse an hour in UTC, like ``2026-11-27T15``, into its start and end in epoch seconds."""
    try:
        start = int(datetime.strptime(text, "%Y-%m-%dT%H").replace(tzinfo=UTC).timestamp())
    except ValueError:
        raise fail(f"{option}: '{text}' is not an hour like 2026-11-27T15 (UTC)", 2) from None
    return start, start + _HOUR


def parse_hours(start_text: str, end_text: str | None, now: int) -> tuple[int, int]:
    """Parse the options ``--from`` and ``--to`` into the full hours around them, in epoch seconds."""
    start = parse_time_option("--from", start_text, now) // _HOUR * _HOUR
    end = -(-(parse_time_option("--to", end_text, now) if end_text is not None else now) // _HOUR) * _HOUR
    if start >= end:
        raise fail("--from is not before --to", 2)
    return start, end
