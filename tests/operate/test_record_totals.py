import pytest

from amberflo_workflows.operate.record_totals import TotalChange, compare_totals


@pytest.mark.parametrize(
    ("cancelled", "before", "after", "expected"),
    [
        (3, 20, 17, True),
        (0.1, 0.3, 0.2, True),
        (1e9 + 0.1, 3e9 + 0.3, 2e9 + 0.2, True),
        (0, 5, 5, True),
        (3, 20, 20, False),
        (3, 0, 0, False),
        (3, 20, 18, False),
        (0.01, 1_000_000, 1_000_000, False),
        (-3, 20, 23, True),
        (-3, 20, 20, False),
    ],
)
def test_a_total_is_expected_to_decrease_by_what_is_cancelled(
    cancelled: float, before: float, after: float, expected: bool
) -> None:
    assert TotalChange("m", "t", cancelled, before, after).is_expected is expected


def test_a_total_that_is_missing_is_zero() -> None:
    usage = {"tenantId": "t", "meterApiName": "m", "meterValue": 2, "meterTimeInMillis": 1_700_000_000_000}
    usages = [{**usage, "uniqueId": "u"}, {**usage, "uniqueId": "v"}, {**usage, "uniqueId": "v"}]
    assert compare_totals(usages, {("m", "t"): 9}, {}) == [TotalChange("m", "t", 4, 9, 0)]
