"""The request to close a billing period."""

import time
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from msgspec import Struct

from amberflo_workflows.core.ledger.requests import (
    FullHour,
    ReconciliationRequest,
    parse_reconciliation,
    parse_schedule_time,
)

# Before it there are no epoch seconds.
_FIRST_YEAR: Final = 1970


class Period(Struct, rename="camel", forbid_unknown_fields=True):
    """A period, in epoch seconds."""

    start_time_in_seconds: FullHour
    end_time_in_seconds: FullHour


class Month(Struct, forbid_unknown_fields=True):
    """A month in UTC, such as ``2026-11``."""

    month: str


class ClosingTime(Struct, forbid_unknown_fields=True):
    """A run of a schedule; ``time`` is ISO 8601."""

    time: str


class ScheduledClosing(Struct, forbid_unknown_fields=True):
    """The input of an execution that a schedule starts: it closes the month before."""

    schedule: ClosingTime


def parse_period(request: Any, lag_seconds: int) -> ReconciliationRequest:
    """Return the reconciliation of a period with its lag. Raises ``msgspec.ValidationError``."""
    if isinstance(request, dict) and "schedule" in request:
        seconds = parse_schedule_time(msgspec.convert(request, ScheduledClosing).schedule.time)
        period = _build_month(datetime.fromtimestamp(seconds, UTC), -1)
    elif isinstance(request, dict) and "month" in request:
        period = _build_month(_parse_month(msgspec.convert(request, Month).month), 0)
    else:
        period = msgspec.convert(request, Period)
    return parse_reconciliation(msgspec.to_builtins(period), lag_seconds)


def _parse_month(text: str) -> datetime:
    try:
        day = datetime.fromisoformat(f"{text}-01").replace(tzinfo=UTC)
    except ValueError:
        raise msgspec.ValidationError("It is not a month such as 2026-11 - at `$.month`") from None
    if not day.year >= _FIRST_YEAR or day.timestamp() > time.time():
        raise msgspec.ValidationError(f"It is before {_FIRST_YEAR} or in the future - at `$.month`")
    return day


def _build_month(time_in_month: datetime, months_later: int) -> Period:
    """Return the month of a time, or one of those before or after it."""
    number = time_in_month.year * 12 + time_in_month.month - 1 + months_later
    start, end = (datetime(part // 12, part % 12 + 1, 1, tzinfo=UTC) for part in (number, number + 1))
    return Period(int(start.timestamp()), int(end.timestamp()))
