from typing import Any

import pytest

from amberflo_workflows.cli.output import console
from amberflo_workflows.cli.usage_views import show_as_bars, show_as_table
from amberflo_workflows.operate.usage_report import Group, GroupNames, IntervalValue, MeterUsage

DAY = 86_400
NOON = 1_769_860_800  # 2026-01-31


def _usage(groups: list[Group], interval: str = "DAY", **meter: Any) -> MeterUsage:
    meter = {"meterApiName": "api-calls", "meterType": "sum_of_all_usage", **meter}
    return MeterUsage(meter, NOON, NOON + DAY, interval, groups)


def _group(customer: str, *values: float) -> Group:
    midnight = NOON - DAY // 2
    return Group(
        GroupNames({"customerId": customer}),
        sum(values),
        [IntervalValue(midnight + number * DAY, value) for number, value in enumerate(values)],
    )


def _lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize(
    ("meter_type", "last"), [("sum_of_all_usage", "total of these 3"), ("active_users", "globex total 2")]
)
def test_only_additive_meters_have_a_total_of_all_groups(
    capsys: pytest.CaptureFixture[str], meter_type: str, last: str
) -> None:
    show_as_table(_usage([_group("acme", 1), _group("globex", 2)], meterType=meter_type))
    lines = _lines(capsys)
    assert lines[0] == "api-calls from 2026-01-31 12:00:00 to 2026-02-01 12:00:00 UTC, in full days of UTC"
    assert lines[-1] == last


@pytest.mark.parametrize(
    ("interval", "name"), [("HOUR", "2026-01-31 00:00"), ("WEEK", "2026-01-31"), ("MONTH", "2026-01")]
)
def test_the_format_of_an_interval_depends_on_its_length(
    capsys: pytest.CaptureFixture[str], interval: str, name: str
) -> None:
    show_as_table(_usage([Group(None, 12_345_678_901.5, [IntervalValue(NOON - DAY // 2, 0.1 + 0.2)])], interval))
    assert _lines(capsys)[1:] == [f"{interval.lower()} usage", f"{name} 0.3", "total 12,345,678,901.5"]


def test_bars_differ_by_name_and_fill_and_a_small_value_has_a_bar(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A fixed width, whatever the environment says, which Rich reads on import.
    monkeypatch.setattr(console, "_width", 45)
    groups = [_group("acme", 40, 0), _group("globex", -20, 0.001), _group("a" * 30, 10, 0), _group("", 4, 0)]
    show_as_bars(_usage(groups))
    assert _lines(capsys)[1:] == [
        f"2026-01-31 acme {'█' * 10} 40",
        "globex ----- -20",
        f"{'a' * 23}… ▒▒ 10",
        "(none) ░ 4",
        "2026-02-01 globex ▓ 0.001",
    ]


@pytest.mark.parametrize("show", [show_as_table, show_as_bars])
def test_no_usage(capsys: pytest.CaptureFixture[str], show: Any) -> None:
    for groups in ([], [_group("acme", 0, 0)]):
        show(_usage(groups))
        assert _lines(capsys)[1:] == ["No usage."]
