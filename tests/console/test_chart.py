"""The usage chart, without a browser."""

from typing import Any

import pytest

from amberflo_workflows.console.chart import HEIGHT, TOP, Chart, build_chart
from amberflo_workflows.console.usage_series import UsageTable, build_table
from amberflo_workflows.operate.usage_report import Group, GroupNames, IntervalValue, MeterUsage

DAY = 86_400


def _table(*groups: list[float], meter_type: str = "sum_of_all_usage") -> UsageTable:
    usage_groups = [
        Group(
            GroupNames({"customerId": f"t{number}"}),
            sum(values),
            [IntervalValue(day * DAY, value) for day, value in enumerate(values)],
        )
        for number, values in enumerate(groups)
    ]
    return build_table(MeterUsage({"meterType": meter_type}, 0, DAY, "DAY", usage_groups))


def _chart(*groups: list[float], **options: Any) -> Chart:
    chart = build_chart(_table(*groups, **options))
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
        (3e16, ["30,000 T", "20,000 T", "10,000 T", "0"]),
        (4e24, ["4e+24", "3e+24", "2e+24", "1e+24", "0"]),
        (-9.0, ["0", "-2", "-4", "-6", "-8", "-10"]),
    ],
)
def test_the_axis_has_a_few_round_numbers(largest: float, axis: list[str]) -> None:
    chart = _chart([largest])
    assert [tick.text for tick in chart.rows] == axis
    assert [chart.rows[0].position, chart.rows[-1].position] == pytest.approx([TOP, TOP + HEIGHT])


def test_positive_and_negative_values_are_stacked_separately() -> None:
    (bar,) = _chart([6], [-4], [2]).bars
    first, negative, second = bar.marks
    assert (first.style, negative.style, second.style) == (0, 1, 2)
    assert second.y + second.height == pytest.approx(first.y)
    assert negative.y == pytest.approx(first.y + first.height)
    assert bar.text == "1970-01-01: 4 (t0 6; t1 -4; t2 2)"


def test_groups_that_cannot_be_added_up_are_side_by_side() -> None:
    (bar,) = _chart([6], [4], meter_type="max_usage").bars
    first, second = bar.marks
    assert second.x == pytest.approx(first.x + first.width)
    assert bar.text == "1970-01-01: t0 6; t1 4"


def test_small_groups_that_cannot_be_added_up_are_hidden() -> None:
    table = _table(*([float(value)] for value in range(12)), meter_type="max_usage")
    assert (len(table.series), table.hidden_groups, table.sums, table.total) == (8, 4, None, None)


def test_any_number_of_intervals_fits_the_width() -> None:
    for count in (1, 7, 1000):
        chart = _chart([1.0] * count)
        last = chart.bars[-1]
        assert last.x + last.width == pytest.approx(100)
        assert chart.min_width == count * 4
        assert 1 <= len(chart.columns) <= 60


def test_labels_are_centred_under_wide_bars() -> None:
    assert [tick.position for tick in _chart([1.0, 1.0]).columns] == [25, 75]


@pytest.mark.parametrize("values", [[0.0], [5e-324], [1.7e308, -1.7e308]])
def test_values_without_a_scale_have_no_chart(values: list[float]) -> None:
    assert build_chart(_table(values)) is None
