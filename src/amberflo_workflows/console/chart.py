"""Bars over intervals, as coordinates for an SVG: stacked where sums mean something, else side by side."""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from amberflo_workflows.console.usage_series import Table
from amberflo_workflows.operate.usage_report import format_number

HEIGHT: Final = 260.0
TOP: Final = 12.0
_TICKS: Final = 5
# Thinner bars could not be told from each other; where they have no room the chart is wider than the page, and scrolls.
_THINNEST: Final = 4
# Pixels, of a chart as wide as a page mostly is.
_PAGE: Final = 1000.0
_WIDEST: Final = 72.0
_LETTER: Final = 7.5
_PART_OF_SLOT: Final = 0.8
_PREFIXES: Final = ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
# Beyond these a double has no room to reckon in.
_SMALLEST, _LARGEST = 1e-290, 1e300


class Mark(NamedTuple):
    """A rectangle, and the look of its series. Widths and places from the left are percentages, heights pixels."""

    x: float
    y: float
    width: float
    height: float
    look: int


class ChartBar(NamedTuple):
    """What was used in one interval: where it stands, and all of it in words."""

    x: float
    width: float
    text: str
    marks: list[Mark]


class Tick(NamedTuple):
    """A line or a place on an axis."""

    at: float
    text: str


class Chart(NamedTuple):
    """All that is drawn: in as many pixels as there are, ``least`` at least; ``is_roomy`` if names fit under bars."""

    least: int
    zero: float
    bars: list[ChartBar]
    rows: list[Tick]
    columns: list[Tick]
    is_roomy: bool


def build_chart(table: Table) -> Chart | None:
    """The chart of a table; ``None`` if nothing in it can be drawn to a scale."""
    low, high = _extremes(table)
    if not _SMALLEST < high - low < _LARGEST:
        return None
    step = _round_step((high - low) / _TICKS)
    bottom, top = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    scale = HEIGHT / (top - bottom) / step
    zero = TOP + top * step * scale
    count = len(table.intervals)
    pixels = max(_PAGE, count * _THINNEST) / count
    part = min(_PART_OF_SLOT, _WIDEST / pixels)
    rows = [Tick(zero - line * step * scale, _axis_number(line * step)) for line in range(top, bottom - 1, -1)]
    name = len(table.intervals[0]) * _LETTER
    every = max(math.ceil(name / pixels), 1)
    is_roomy = every == 1
    columns = [
        Tick((place + (0.5 if is_roomy else 0.1)) * 100 / count, table.intervals[place])
        for place in range(0, count, every)
        if is_roomy or (count - place) * pixels > name
    ]
    bars = [_bar(table, place, part, zero, scale) for place in range(count)]
    return Chart(count * _THINNEST, zero, bars, rows, columns, is_roomy)


def _extremes(table: Table) -> tuple[float, float]:
    if table.sums is None:
        values = [value for one in table.series for value in one.values]
        return min(0.0, *values), max(0.0, *values)
    columns = list(zip(*(one.values for one in table.series), strict=True))
    below = [sum(value for value in column if value < 0) for column in columns]
    above = [sum(value for value in column if value > 0) for column in columns]
    return min(0.0, *below), max(0.0, *above)


def _bar(table: Table, place: int, part: float, zero: float, scale: float) -> ChartBar:
    used = [(one, one.values[place]) for one in table.series if one.values[place]]
    slot = 100 / len(table.intervals)
    room, left = slot * part, slot * (place + (1 - part) / 2)
    marks, above, below = list[Mark](), zero, zero
    for series, value in used:
        height = abs(value) * scale
        if table.sums is None:
            width = room / len(table.series)
            marks.append(Mark(left + width * series.look, zero - max(value, 0) * scale, width, height, series.look))
        elif value > 0:
            above -= height
            marks.append(Mark(left, above, room, height, series.look))
        else:
            marks.append(Mark(left, below, room, height, series.look))
            below += height
    return ChartBar(slot * place, slot, _told(table, place, [(one.name, value) for one, value in used]), marks)


def _told(table: Table, place: int, used: Sequence[tuple[str, float]]) -> str:
    begin = table.intervals[place]
    if not used:
        return f"{begin}: nothing"
    parts = "; ".join(f"{name} {format_number(value)}" for name, value in used)
    if table.sums is None or len(table.series) == 1:
        return f"{begin}: {parts}"
    return f"{begin}: {format_number(table.sums[place])} ({parts})"


def _round_step(least: float) -> float:
    """The next of 1, 2, 5, 10, 20, …"""
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * digit for digit in (1, 2, 5, 10) if power * digit >= least * (1 - 1e-9))


def _axis_number(value: float) -> str:
    """As short as can be: 1.5 M for 1,500,000."""
    for size, prefix in _PREFIXES:
        if size <= abs(value) < 1e21:
            return f"{value / size:,.6g} {prefix}"
    return f"{value:,.6g}"
