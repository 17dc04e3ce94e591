"""The usage chart as SVG coordinates. Bars are stacked if the groups can be added up, else side by side."""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from amberflo_workflows.console.usage_series import UsageTable
from amberflo_workflows.operate.usage_report import format_number

HEIGHT: Final = 260.0
TOP: Final = 12.0
_TICK_COUNT: Final = 5
# Narrower bars could not be distinguished. With many intervals the chart becomes wider than the page and scrolls.
_MIN_SLOT_PIXELS: Final = 4
# The usual width of a chart, in pixels.
_PAGE_PIXELS: Final = 1000.0
_MAX_BAR_PIXELS: Final = 72.0
_CHARACTER_PIXELS: Final = 7.5
_BAR_SHARE: Final = 0.8
# Larger numbers have thousands of T, which more readers know than P and E.
_UNITS: Final = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))
# Outside of these limits the arithmetic below would overflow or underflow a double.
_MAX_WITH_UNIT: Final = 1e21
_MIN_RANGE, _MAX_RANGE = 1e-290, 1e300


class ChartMark(NamedTuple):
    """A rectangle in a bar. ``x`` and ``width`` are percentages, ``y`` and ``height`` pixels."""

    x: float
    y: float
    width: float
    height: float
    style: int


class ChartBar(NamedTuple):
    """The usage of one interval: its place as percentages, its description for screen readers, its rectangles.

    ``is_unfinished`` tells that the interval is not over, so that a low bar is not a drop.
    """

    x: float
    width: float
    text: str
    marks: list[ChartMark]
    is_unfinished: bool = False


class AxisTick(NamedTuple):
    """A label on an axis; ``position`` is in pixels on the vertical axis, in percent on the horizontal one."""

    position: float
    text: str


class Chart(NamedTuple):
    """A chart, at least ``min_width`` pixels wide. ``is_wide`` tells that a label fits under each bar."""

    min_width: int
    zero: float
    bars: list[ChartBar]
    rows: list[AxisTick]
    columns: list[AxisTick]
    is_wide: bool


def build_chart(table: UsageTable) -> Chart | None:
    """Build the chart of a table; ``None`` if its values are all zero, too large or too small to be drawn."""
    low, high = _value_range(table)
    if not _MIN_RANGE < high - low < _MAX_RANGE:
        return None
    step = _choose_step((high - low) / _TICK_COUNT)
    bottom, top = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    scale = HEIGHT / (top - bottom) / step
    zero = TOP + top * step * scale
    count = len(table.intervals)
    pixels = max(_PAGE_PIXELS, count * _MIN_SLOT_PIXELS) / count
    bar_share = min(_BAR_SHARE, _MAX_BAR_PIXELS / pixels)
    rows = [
        AxisTick(zero - line * step * scale, _format_axis_number(line * step)) for line in range(top, bottom - 1, -1)
    ]
    label_pixels = len(table.intervals[0]) * _CHARACTER_PIXELS
    every = max(math.ceil(label_pixels / pixels), 1)
    is_wide = every == 1
    columns = [
        AxisTick((index + (0.5 if is_wide else 0.1)) * 100 / count, table.intervals[index])
        for index in range(0, count, every)
        if is_wide or (count - index) * pixels > label_pixels
    ]
    bars = [_build_bar(table, index, bar_share, zero, scale) for index in range(count)]
    return Chart(count * _MIN_SLOT_PIXELS, zero, bars, rows, columns, is_wide)


def _value_range(table: UsageTable) -> tuple[float, float]:
    if table.sums is None:
        values = [value for series in table.series for value in series.values]
        return min(0.0, *values), max(0.0, *values)
    columns = list(zip(*(series.values for series in table.series), strict=True))
    negative = [sum(value for value in column if value < 0) for column in columns]
    positive = [sum(value for value in column if value > 0) for column in columns]
    return min(0.0, *negative), max(0.0, *positive)


def _build_bar(table: UsageTable, index: int, bar_share: float, zero: float, scale: float) -> ChartBar:
    values = [(series, series.values[index]) for series in table.series if series.values[index]]
    slot = 100 / len(table.intervals)
    bar_width, x = slot * bar_share, slot * (index + (1 - bar_share) / 2)
    marks, top, bottom = list[ChartMark](), zero, zero
    for series, value in values:
        height = abs(value) * scale
        if table.sums is None:
            width = bar_width / len(table.series)
            y = zero - max(value, 0) * scale
            marks.append(ChartMark(x + width * series.style, y, width, height, series.style))
        elif value > 0:
            top -= height
            marks.append(ChartMark(x, top, bar_width, height, series.style))
        else:
            marks.append(ChartMark(x, bottom, bar_width, height, series.style))
            bottom += height
    description = _describe_bar(table, index, [(series.name, value) for series, value in values])
    return ChartBar(slot * index, slot, description, marks, index == table.unfinished)


def _describe_bar(table: UsageTable, index: int, values: Sequence[tuple[str, float]]) -> str:
    interval = table.intervals[index] + (" (not over yet)" if index == table.unfinished else "")
    if not values:
        return f"{interval}: no usage"
    parts = "; ".join(f"{name} {format_number(value)}" for name, value in values)
    if table.sums is None or len(table.series) == 1:
        return f"{interval}: {parts}"
    return f"{interval}: {format_number(table.sums[index])} ({parts})"


def _choose_step(minimum: float) -> float:
    """The smallest of …, 1, 2, 5, 10, 20, … that is at least ``minimum``."""
    power = 10.0 ** math.floor(math.log10(minimum))
    return next(power * digit for digit in (1, 2, 5, 10) if power * digit >= minimum * (1 - 1e-9))


def _format_axis_number(value: float) -> str:
    """Format a number with its unit: ``1.5 M`` for 1,500,000."""
    for size, unit in _UNITS:
        if size <= abs(value) < _MAX_WITH_UNIT:
            return f"{value / size:,.6f}".rstrip("0").rstrip(".") + f" {unit}"
    return f"{value:,.6g}"
