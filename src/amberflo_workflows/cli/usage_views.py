"""A usage report as text: a table or a bar chart."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from amberflo_workflows.cli.output import console, escape_control, say, show_table
from amberflo_workflows.core.meter import ADDITIVE_METER_TYPES
from amberflo_workflows.operate.usage_report import (
    Group,
    IntervalValue,
    MeterUsage,
    format_interval,
    format_number,
    format_time,
)

# The fill of a bar shows its group, so that the chart works without colours.
_FILLS: Final = "█▓▒░"
_ASCII_FILLS: Final = "#=+:"
_COLOURS: Final = ("cyan", "magenta", "yellow", "green", "blue")
_NEGATIVE_FILL: Final = "-"
_MAX_NAME_LENGTH: Final = 24
_MIN_BAR_LENGTH: Final = 10
_MAX_BAR_LENGTH: Final = 60


class _Bar(NamedTuple):
    interval: str
    name: str
    value: float
    fill: str
    colour: str


def show_as_table(usage: MeterUsage) -> None:
    """Print non-zero usage by group and interval, a total for each group and, if it can be summed, for all groups."""
    say(_render_title(usage))
    groups = [group for group in usage.groups if group.total or _get_used_intervals(group)]
    if not groups:
        say("No usage.")
        return
    keys = list(groups[0].labels)
    rows = [row for group in groups for row in _build_rows(group, keys, usage.interval)]
    if len(groups) > 1 and usage.meter.get("meterType") in ADDITIVE_METER_TYPES:
        rows.append([*("" for _ in keys), "total of these", format_number(sum(group.total for group in groups))])
    show_table([*keys, usage.interval.lower(), "usage"], rows, numbers=("usage",))


def show_as_bars(usage: MeterUsage) -> None:
    """Print a bar for each interval and group with usage, all on the same scale."""
    say(_render_title(usage))
    bars = list(_build_bars(usage))
    max_value = max((abs(bar.value) for bar in bars), default=0.0)
    if not max_value:
        say("No usage.")
        return
    interval_width, name_width = max(len(bar.interval) for bar in bars), max(cell_len(bar.name) for bar in bars)
    number_width = max(len(format_number(bar.value)) for bar in bars)
    free_width = console.width - interval_width - name_width - number_width - 3
    max_length = min(max(free_width, _MIN_BAR_LENGTH), _MAX_BAR_LENGTH)
    previous_interval = ""
    for bar in bars:
        interval = "" if bar.interval == previous_interval else bar.interval
        previous_interval = bar.interval
        line = Text(f"{set_cell_size(interval, interval_width)} {set_cell_size(bar.name, name_width)} ")
        # A small value gets a bar of length 1, so that it does not look like 0.
        length = max(round(abs(bar.value) / max_value * max_length), 1) if bar.value else 0
        line.append(bar.fill * length, bar.colour).append(f" {format_number(bar.value)}")
        console.print(line, soft_wrap=True)


def _render_title(usage: MeterUsage) -> str:
    start, end, unit = format_time(usage.start), format_time(usage.end), usage.interval.lower()
    return f"{usage.meter['meterApiName']} from {start} to {end} UTC, in full {unit}s of UTC"


def _build_rows(group: Group, keys: list[str], interval: str) -> Iterator[list[str]]:
    labels = [group.labels.get(key, "") for key in keys]
    for item in _get_used_intervals(group):
        yield [*labels, format_interval(item.begin, interval), format_number(item.value)]
    yield [*labels, "total", format_number(group.total)]


def _get_used_intervals(group: Group) -> list[IntervalValue]:
    return [item for item in group.values if item.value]


def _build_bars(usage: MeterUsage) -> Iterator[_Bar]:
    fills = _ASCII_FILLS if console.options.ascii_only else _FILLS
    styles = [
        (_render_name(group), fills[index % len(fills)], _COLOURS[index % len(_COLOURS)])
        for index, group in enumerate(usage.groups)
    ]
    for start in sorted({item.begin for group in usage.groups for item in group.values}):
        interval = format_interval(start, usage.interval)
        bars = [
            _Bar(interval, name, item.value, fill if item.value > 0 else _NEGATIVE_FILL, colour)
            for group, (name, fill, colour) in zip(usage.groups, styles, strict=True)
            for item in _get_used_intervals(group)
            if item.begin == start
        ]
        yield from bars or [_Bar(interval, "", 0.0, "", "")]


def _render_name(group: Group) -> str:
    name = escape_control(group.name)
    return name if cell_len(name) <= _MAX_NAME_LENGTH else set_cell_size(name, _MAX_NAME_LENGTH - 1) + "…"
