"""What is drawn of usage, without a browser."""

from typing import Any

import pytest

from amberflo_workflows.console.chart import HEIGHT, TOP, Chart, build_chart
from amberflo_workflows.console.usage_series import Table, build_table
from amberflo_workflows.operate.usage_report import Group, GroupNames, IntervalValue, MeterUsage

DAY = 86_400


def _table(*groups: list[float], meter_type: str = "sum_of_all_usage") -> Table:
    found = [
        Group(
            GroupNames({"customerId": f"t{number}"}),
            sum(values),
            [IntervalValue(day * DAY, value) for day, value in enumerate(values)],
        )
        for number, values in enumerate(groups)
    ]
    return build_table(MeterUsage({"meterType": meter_type}, 0, DAY, "DAY", found))


def _chart(*groups: list[float], **about: Any) -> Chart:
    chart = build_chart(_table(*groups, **about))
    assert chart is not None
    return chart


@pytest.mark.parametrize(
    ("largest", "axis"),
    [
        (7.0, ["8", "6", "4", "2", "0"]),
        (100.0, ["100", "80", "60", "40", "20", "0"]),
        (0.00042, ["0.0005", "0.0004", "0.0003", "0.0002", "0.0001", "0"]),
        (0.3, ["0.3", "0.2", "0.1", "0"]),
        (2_300_000.0, ["2.5 M", "2 M", "1.5 M", "1 M", "500 k", "0"]),
        (4e24, ["4e+24", "3e+24", "2e+24", "1e+24", "0"]),
        (-9.0, ["0", "-2", "-4", "-6", "-8", "-10"]),
    ],
)
def test_an_axis_has_few_round_numbers(largest: float, axis: list[str]) -> None:
    chart = _chart([largest])
    assert [tick.text for tick in chart.rows] == axis
    assert [chart.rows[0].at, chart.rows[-1].at] == pytest.approx([TOP, TOP + HEIGHT])


def test_groups_are_stacked_what_is_above_nothing_apart_from_what_is_below() -> None:
    (bar,) = _chart([6], [-4], [2]).bars
    first, below, second = bar.marks
    assert (first.look, below.look, second.look) == (0, 1, 2)
    assert second.y + second.height == pytest.approx(first.y)
    assert below.y == pytest.approx(first.y + first.height)
    assert bar.text == "1970-01-01: 4 (t0 6; t1 -4; t2 2)"


def test_what_cannot_be_summed_stands_side_by_side() -> None:
    (bar,) = _chart([6], [4], meter_type="max_usage").bars
    first, second = bar.marks
    assert second.x == pytest.approx(first.x + first.width)
    assert bar.text == "1970-01-01: t0 6; t1 4"


def test_of_what_cannot_be_summed_small_groups_are_left_out_and_not_added() -> None:
    table = _table(*([float(value)] for value in range(12)), meter_type="max_usage")
    assert (len(table.series), table.left_out, table.sums, table.total) == (8, 4, None, None)


def test_however_many_intervals_there_are_all_have_a_place_in_the_width() -> None:
    for count in (1, 7, 1000):
        chart = _chart([1.0] * count)
        last = chart.bars[-1]
        assert last.x + last.width == pytest.approx(100)
        assert chart.least == count * 4
        assert 1 <= len(chart.columns) <= 60


def test_names_stand_under_their_bars_where_there_is_room() -> None:
    assert [tick.at for tick in _chart([1.0, 1.0]).columns] == [25, 75]


@pytest.mark.parametrize("values", [[0.0], [5e-324], [1.7e308, -1.7e308]])
def test_what_has_no_scale_is_not_drawn(values: list[float]) -> None:
    assert build_chart(_table(values)) is None
