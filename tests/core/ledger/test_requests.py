"""Which reconciliations can be requested, and which hours a schedule has."""

import time
from typing import Any

import msgspec
import pytest

from amberflo_workflows.core.ledger.layout import HOUR_SECONDS, start_of_hour
from amberflo_workflows.core.ledger.requests import MAX_HOURS, parse_reconciliation
from tests.core.ledger.entries import START

RANGE = {"startTimeInSeconds": START - HOUR_SECONDS, "endTimeInSeconds": START}
DAY = 24 * HOUR_SECONDS


def test_a_request_has_the_lag_of_the_deployment_unless_it_has_its_own() -> None:
    assert parse_reconciliation(RANGE, 7).lag_seconds == 7
    assert parse_reconciliation({**RANGE, "lagSeconds": 0}, 7).lag_seconds == 0
    assert parse_reconciliation(RANGE, 7).late_usage is False


def test_a_tenant_is_in_the_form_of_records() -> None:
    assert parse_reconciliation({**RANGE, "tenantId": "Cafe\u0301"}, 0).tenant_id == "Caf\u00e9"


@pytest.mark.parametrize(
    ("time_", "lag_hours", "start", "end"),
    [
        # At 04:30, the day until four hours ago.
        ("2026-06-28T04:30:00Z", 4, "2026-06-27T00:00", "2026-06-28T00:00"),
        ("2026-06-28T04:29:59Z", 4, "2026-06-27T00:00", "2026-06-28T00:00"),
        ("2026-06-28T03:59:59Z", 4, "2026-06-26T23:00", "2026-06-27T23:00"),
        ("2026-06-28T05:30:00+01:00", 4, "2026-06-27T00:00", "2026-06-28T00:00"),
    ],
)
def test_a_schedule_has_the_hours_that_are_settled(time_: str, lag_hours: int, start: str, end: str) -> None:
    request = parse_reconciliation({"schedule": {"hours": 24, "time": time_}}, lag_hours * HOUR_SECONDS)
    bounds = (request.start_time_in_seconds, request.end_time_in_seconds)
    assert tuple(time.strftime("%Y-%m-%dT%H:%M", time.gmtime(seconds)) for seconds in bounds) == (start, end)
    assert (request.late_usage, request.lag_seconds) == (True, lag_hours * HOUR_SECONDS)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"startTimeInSeconds": None}, r"Expected `int`, got `null` - at `\$\.startTimeInSeconds`"),
        ({"startTimeInSeconds": START - 10}, rf"a full hour, such as {START - HOUR_SECONDS}.* - at `\$\.startTimeInS"),
        ({"endTimeInSeconds": START + 1}, rf"a full hour, such as {START}, .* - at `\$\.endTimeInSeconds`"),
        ({"endTimeInSeconds": START - HOUR_SECONDS}, "The range is empty"),
        ({"startTimeInSeconds": START - (MAX_HOURS + 1) * HOUR_SECONDS}, "longer than 62 days"),
        ({"startTimeInSeconds": START * 1000}, r"Expected `int` <= 9999999999 - at `\$\.startTimeInSeconds`"),
        ({"tenantId": " "}, r"- at `\$\.tenantId`"),
        ({"meterApiName": "a b"}, r"- at `\$\.meterApiName`"),
        ({"lagSeconds": -1}, r"- at `\$\.lagSeconds`"),
        ({"lag": 1}, "unknown field `lag`"),
        ({"schedule": {"hours": 24, "time": "soon"}}, "unknown field"),
    ],
)
def test_invalid_requests(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=message):
        parse_reconciliation({**RANGE, **changes}, 0)


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ({"hours": 24, "time": "soon"}, r"ISO 8601 - at `\$\.schedule\.time`"),
        ({"hours": 24, "time": "1970-01-01T00:00:00Z"}, r"before 1971 or in the future - at `\$\.schedule\.time`"),
        ({"hours": 24, "time": "9999-12-31T23:59:59-14:00"}, r"in the future - at `\$\.schedule\.time`"),
        ({"hours": 0, "time": "2026-06-28T04:30:00Z"}, r"at `\$\.schedule\.hours`"),
        ({}, "missing required field"),
        (5, "Expected `object`"),
    ],
)
def test_invalid_schedules(schedule: Any, message: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=message):
        parse_reconciliation({"schedule": schedule}, 0)


@pytest.mark.parametrize("request_", [None, [], "x", 5])
def test_a_request_must_be_an_object(request_: Any) -> None:
    with pytest.raises(msgspec.ValidationError):
        parse_reconciliation(request_, 0)


def test_the_future_has_no_usage() -> None:
    hour = start_of_hour(int(time.time())) + 2 * HOUR_SECONDS
    with pytest.raises(msgspec.ValidationError, match="in the future"):
        parse_reconciliation({"startTimeInSeconds": hour, "endTimeInSeconds": hour + HOUR_SECONDS}, 0)
