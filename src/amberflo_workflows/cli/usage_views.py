"""A usage report for people: as a table and as bars."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from amberflo_workflows.cli.shared import console, escape_control, say, show_table
from amberflo_workflows.operate.usage_report import (
    ADDITIVE,
    Group,
    IntervalValue,
    MeterUsage,
    format_interval,
    format_number,
    format_time,
)

# Groups are told apart by the name beside a bar and by its form; colour only adds to that.
_FILLS: Final = "█▓▒░"
_ASCII_FILLS: Final = "#=+:"
_COLOURS: Final = ("cyan", "magenta", "yellow", "green", "blue")
_NEGATIVE: Final = "-"
_LONGEST_NAME: Final = 24
_SHORTEST_BAR: Final = 10
_LONGEST_BAR: Final = 60


class _Bar(NamedTuple):
    interval: str
    name: str
    value: float
    fill: str
    colour: str


def show_as_table(usage: MeterUsage) -> None:
    """What is not zero in each group and interval, with a total for each group and, if it means anything, for all."""
    say(_title(usage))
    groups = [group for group in usage.groups if group.total or _used(group)]
    if not groups:
        say("Nothing was used.")
        return
    keys = list(groups[0].labels)
    rows = [row for group in groups for row in _rows(group, keys, usage.interval)]
    if len(groups) > 1 and usage.meter.get("meterType") in ADDITIVE:
        rows.append([*("" for _ in keys), "total of these", format_number(sum(group.total for group in groups))])
    show_table([*keys, usage.interval.lower(), "usage"], rows, numbers=("usage",))


def show_as_bars(usage: MeterUsage) -> None:
    """For each interval a bar for each group that used something, all to one scale."""
    say(_title(usage))
    bars = list(_bars(usage))
    largest = max((abs(bar.value) for bar in bars), default=0.0)
    if not largest:
        say("Nothing was used.")
        return
    intervals, names = max(len(bar.interval) for bar in bars), max(cell_len(bar.name) for bar in bars)
    numbers = max(len(format_number(bar.value)) for bar in bars)
    room = min(max(console.width - intervals - names - numbers - 3, _SHORTEST_BAR), _LONGEST_BAR)
    before = ""
    for bar in bars:
        begin = "" if bar.interval == before else bar.interval
        before = bar.interval
        line = Text(f"{set_cell_size(begin, intervals)} {set_cell_size(bar.name, names)} ")
        # Something is never shown as nothing.
        length = max(round(abs(bar.value) / largest * room), 1) if bar.value else 0
        line.append(bar.fill * length, bar.colour).append(f" {format_number(bar.value)}")
        console.print(line, soft_wrap=True)


def _title(usage: MeterUsage) -> str:
    begin, end, unit = format_time(usage.start), format_time(usage.end), usage.interval.lower()
    return f"{usage.meter['meterApiName']} from {begin} to {end} UTC, by whole {unit}s of UTC"


def _rows(group: Group, keys: list[str], interval: str) -> Iterator[list[str]]:
    named = [group.labels.get(key, "") for key in keys]
    for one in _used(group):
        yield [*named, format_interval(one.begin, interval), format_number(one.value)]
    yield [*named, "total", format_number(group.total)]


def _used(group: Group) -> list[IntervalValue]:
    return [one for one in group.values if one.value]


def _bars(usage: MeterUsage) -> Iterator[_Bar]:
    fills = _ASCII_FILLS if console.options.ascii_only else _FILLS
    looks = [(_name(group), fills[n % len(fills)], _COLOURS[n % len(_COLOURS)]) for n, group in enumerate(usage.groups)]
    for begin in sorted({one.begin for group in usage.groups for one in group.values}):
        interval = format_interval(begin, usage.interval)
        used = [
            _Bar(interval, name, one.value, fill if one.value > 0 else _NEGATIVE, colour)
            for group, (name, fill, colour) in zip(usage.groups, looks, strict=True)
            for one in _used(group)
            if one.begin == begin
        ]
        yield from used or [_Bar(interval, "", 0.0, "", "")]


def _name(group: Group) -> str:
    name = escape_control(group.name)
    return name if cell_len(name) <= _LONGEST_NAME else set_cell_size(name, _LONGEST_NAME - 1) + "…"
