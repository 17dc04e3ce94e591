"""The request of a reconciliation: of the API, of a schedule, or of an execution that is started by hand."""

import time
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from amberflo_workflows.core.canonical import normalize_text, to_millis
from amberflo_workflows.core.ledger.layout import HOUR_SECONDS, start_of_hour
from amberflo_workflows.core.meter import ApiName

# Two months: Amberflo accepts usage for 60 days.
MAX_HOURS: Final = 62 * 24
MAX_LAG_SECONDS: Final = 7 * 24 * HOUR_SECONDS

# Epoch seconds until the year 2286. A time in milliseconds is later, and is rejected.
Seconds = Annotated[int, Meta(ge=0, lt=10_000_000_000)]
FullHour = Annotated[Seconds, Meta(extra_json_schema={"multipleOf": HOUR_SECONDS})]
LagSeconds = Annotated[int, Meta(ge=0, le=MAX_LAG_SECONDS)]
TenantId = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"\S")]


class ReconciliationRequest(Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """Which hours to reconcile: full hours in epoch seconds.

    With ``late_usage``, also all hours of usage that was counted or cancelled in the range, whatever its own time.
    """

    start_time_in_seconds: FullHour
    end_time_in_seconds: FullHour
    meter_api_name: ApiName | None = None
    tenant_id: TenantId | None = None
    lag_seconds: LagSeconds | None = None
    late_usage: bool = False


class Schedule(Struct, forbid_unknown_fields=True):
    """A run of a schedule: the ``hours`` that were settled at its ``time`` (ISO 8601)."""

    hours: Annotated[int, Meta(ge=1, le=MAX_HOURS)]
    time: str


class ScheduledRequest(Struct, forbid_unknown_fields=True):
    """The input of an execution that a schedule starts."""

    schedule: Schedule


def parse_reconciliation(request: Any, lag_seconds: int) -> ReconciliationRequest:
    """Return a request with its lag. Raises ``msgspec.ValidationError``.

    ``lag_seconds`` is the lag of a request that has none, which a schedule never has.
    """
    if isinstance(request, dict) and "schedule" in request:
        return _build_scheduled(msgspec.convert(request, ScheduledRequest).schedule, lag_seconds)
    parsed = msgspec.convert(request, ReconciliationRequest)
    start, end = parsed.start_time_in_seconds, parsed.end_time_in_seconds
    for name, seconds in (("startTimeInSeconds", start), ("endTimeInSeconds", end)):
        if seconds % HOUR_SECONDS:
            raise msgspec.ValidationError(
                f"It must be a full hour, such as {start_of_hour(seconds)}, since hours are compared - at `$.{name}`"
            )
    if start >= end:
        raise msgspec.ValidationError("The range is empty: it must start before its end - at `$.startTimeInSeconds`")
    if end - start > MAX_HOURS * HOUR_SECONDS:
        raise msgspec.ValidationError(f"The range is longer than {MAX_HOURS // 24} days - at `$.endTimeInSeconds`")
    if start > time.time():
        raise msgspec.ValidationError("The range is in the future - at `$.startTimeInSeconds`")
    if parsed.lag_seconds is None:
        parsed.lag_seconds = lag_seconds
    if parsed.tenant_id is not None:
        parsed.tenant_id = normalize_text(parsed.tenant_id)
    return parsed


def parse_schedule_time(text: str) -> int:
    """Return the time of a schedule in epoch seconds, since 1970 and not in the future.

    Raises ``msgspec.ValidationError``.
    """
    try:
        seconds = to_millis(datetime.fromisoformat(text)) // 1000
    except (ValueError, OverflowError):
        raise msgspec.ValidationError("It is not a time in ISO 8601 - at `$.schedule.time`") from None
    if not MAX_LAG_SECONDS + MAX_HOURS * HOUR_SECONDS <= seconds <= time.time() + HOUR_SECONDS:
        raise msgspec.ValidationError("It is before 1971 or in the future - at `$.schedule.time`")
    return seconds


def _build_scheduled(schedule: Schedule, lag_seconds: int) -> ReconciliationRequest:
    end = start_of_hour(parse_schedule_time(schedule.time) - lag_seconds)
    return ReconciliationRequest(
        start_time_in_seconds=end - schedule.hours * HOUR_SECONDS,
        end_time_in_seconds=end,
        lag_seconds=lag_seconds,
        late_usage=True,
    )
