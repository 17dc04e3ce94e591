"""The request to close a billing period."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct

from amberflo_workflows.core.ledger.requests import FullHour, ReconciliationRequest, parse_reconciliation


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
        time = _parse(msgspec.convert(request, ScheduledClosing).schedule.time, "schedule.time", "a time in ISO 8601")
        period = _build_month(_first_of_previous_month(time.astimezone(UTC)))
    elif isinstance(request, dict) and "month" in request:
        month = msgspec.convert(request, Month).month
        period = _build_month(_parse(f"{month}-01", "month", "a month such as 2026-11"))
    else:
        period = msgspec.convert(request, Period)
    return parse_reconciliation(msgspec.to_builtins(period), lag_seconds)


def _parse(text: str, field: str, description: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise msgspec.ValidationError(f"It is not {description} - at `$.{field}`") from None


def _first_of_previous_month(time: datetime) -> datetime:
    first = time.replace(day=1)
    return first.replace(year=first.year - 1, month=12) if first.month == 1 else first.replace(month=first.month - 1)


def _build_month(day: datetime) -> Period:
    start = datetime(day.year, day.month, 1, tzinfo=UTC)
    end = start.replace(year=start.year + 1, month=1) if start.month == 12 else start.replace(month=start.month + 1)
    return Period(int(start.timestamp()), int(end.timestamp()))
