"""Which period a month, a schedule or a range is."""

import time
from typing import Any

import msgspec
import pytest

from amberflo_workflows.core.ledger.periods import parse_period


def _format(request: Any) -> tuple[str, ...]:
    period = parse_period(request, 14_400)
    assert (period.lag_seconds, period.late_usage, period.tenant_id) == (14_400, False, None)
    bounds = (period.start_time_in_seconds, period.end_time_in_seconds)
    return tuple(time.strftime("%Y-%m-%dT%H:%M", time.gmtime(seconds)) for seconds in bounds)


@pytest.mark.parametrize(
    ("month", "start", "end"),
    [
        ("2026-02", "2026-02-01T00:00", "2026-03-01T00:00"),
        ("2025-12", "2025-12-01T00:00", "2026-01-01T00:00"),
        ("2024-02", "2024-02-01T00:00", "2024-03-01T00:00"),
    ],
)
def test_a_month(month: str, start: str, end: str) -> None:
    assert _format({"month": month}) == (start, end)


@pytest.mark.parametrize(
    ("now", "start", "end"),
    [
        ("2026-11-03T06:30:00Z", "2026-10-01T00:00", "2026-11-01T00:00"),
        ("2026-01-31T23:59:59Z", "2025-12-01T00:00", "2026-01-01T00:00"),
        ("2026-03-01T01:00:00+02:00", "2026-01-01T00:00", "2026-02-01T00:00"),
    ],
)
def test_a_schedule_closes_the_month_before(now: str, start: str, end: str) -> None:
    assert _format({"schedule": {"time": now}}) == (start, end)


def test_a_range() -> None:
    assert _format({"startTimeInSeconds": 3600, "endTimeInSeconds": 7200}) == ("1970-01-01T01:00", "1970-01-01T02:00")


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"month": "2026-13"}, r"a month such as 2026-11 - at `\$\.month`"),
        ({"month": "November"}, r"a month such as 2026-11 - at `\$\.month`"),
        ({"month": "9999-12"}, r"in the future - at `\$\.month`"),
        ({"month": "1969-12"}, r"before 1970 or in the future - at `\$\.month`"),
        ({"month": "2026-1"}, r"a month such as 2026-11 - at `\$\.month`"),
        ({"schedule": {"time": "0001-01-15T00:00:00Z"}}, r"before 1971 or in the future - at `\$\.schedule\.time`"),
        ({"schedule": {"time": "9999-12-31T23:59:59Z"}}, r"in the future - at `\$\.schedule\.time`"),
        ({"month": 11}, r"Expected `str`, got `int` - at `\$\.month`"),
        ({"month": "2026-11", "tenantId": "t"}, "unknown field `tenantId`"),
        ({"schedule": {"time": "soon"}}, r"ISO 8601 - at `\$\.schedule\.time`"),
        ({"startTimeInSeconds": 1, "endTimeInSeconds": 7200}, "a full hour"),
        ({"startTimeInSeconds": 3600}, "missing required field `endTimeInSeconds`"),
        ({}, "missing required field"),
        (None, "Expected `object`"),
        ([], "Expected `object`"),
    ],
)
def test_invalid_periods(request_: Any, message: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=message):
        parse_period(request_, 0)
