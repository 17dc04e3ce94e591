import pytest

from amberflo_workflows.operate.usage_report import Group, GroupNames, choose_interval, format_number


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (sum([0.1] * 1000), "100"),
        (452_867.810000001, "452,867.81"),
        (1_234_567_890_123.25, "1,234,567,890,123.25"),
        (99_999_999_999.25, "99,999,999,999.25"),
        (-0.000_012, "-0.000012"),
        (0.0, "0"),
        (-0.0, "0"),
        (1e12, "1,000,000,000,000"),
        (sum([1e11] * 10) + 0.1 - 0.1, "1,000,000,000,000"),
        (2.28314389e10, "22,831,438,900"),
        (22_831_438_901.123, "22,831,438,901.123"),
        (12_345_678_901_234_567, "12,345,678,901,234,567"),
        (-1e20, "-100,000,000,000,000,000,000"),
        (1e21, "1e+21"),
        (1e-13, "1e-13"),
    ],
)
def test_a_number_is_formatted_without_rounding_errors(value: float, text: str) -> None:
    assert format_number(value) == text


def test_the_interval_depends_on_the_range() -> None:
    assert [choose_interval(days * 86_400) for days in (1, 7, 365)] == ["HOUR", "DAY", "MONTH"]


def test_the_name_of_a_group_is_its_labels() -> None:
    assert Group(GroupNames({"customerId": "acme", "region": None})).name == "acme, (none)"
    assert Group().name == ""
