"""First step of ``replay_usage``: split the usage to send again into slices of at most a day.

Request: see :mod:`~amberflo_workflows.core.ledger.replay_request`. Output: ``{"request": {"meterApiName",
"tenantId", "reconciliation", "dryRun"}, "slices": [{"start", "end"}…]}``, or a 400 response if the request is invalid,
or a 404 response if there is no report of the reconciliation. Raises ``LedgerUnavailable``, and ``UnreadableObject`` if
the report is damaged.
"""

import time
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final, TypedDict

import msgspec
from aws_lambda_powertools import Logger

from amberflo_workflows.core.initialization import at_initialization
from amberflo_workflows.core.ledger.errors import ledger_errors
from amberflo_workflows.core.ledger.layout import HOUR_SECONDS
from amberflo_workflows.core.ledger.missing_hours import read_missing_hours
from amberflo_workflows.core.ledger.replay_request import ReplayRange, ReplayReconciliation, parse_replay_request
from amberflo_workflows.core.ledger.report import NoReport
from amberflo_workflows.core.ledger.store import own_ledger
from amberflo_workflows.core.response import StepResponse, error_response, validation_error_response

logger = Logger()

_DAY_SECONDS: Final = 24 * HOUR_SECONDS


class PlannedSlice(TypedDict):
    """A range in epoch seconds."""

    start: int
    end: int


def handler(event: dict[str, Any], _context: object) -> dict[str, Any] | StepResponse:
    logger.set_correlation_id(str(event.get("execution", {}).get("name", "")))
    try:
        request = parse_replay_request(event["request"], int(time.time()))
        slices = _split(request) if isinstance(request, ReplayRange) else _read_days(request)
    except msgspec.ValidationError as error:
        return validation_error_response(error)
    except NoReport as error:
        return error_response(404, str(error))
    selection = {"meterApiName": None, "tenantId": None, "reconciliation": None, **msgspec.to_builtins(request)}
    for member in ("startTimeInSeconds", "endTimeInSeconds"):
        selection.pop(member, None)
    return {"request": selection, "slices": slices}


def _split(request: ReplayRange) -> list[PlannedSlice]:
    """Split a range at the starts of days, so that an error causes little repetition."""
    start, end = request.start_time_in_seconds, request.end_time_in_seconds
    first_day = start // _DAY_SECONDS * _DAY_SECONDS
    days = range(first_day, end, _DAY_SECONDS)
    return [{"start": max(day, start), "end": min(day + _DAY_SECONDS, end)} for day in days]


def _read_days(request: ReplayReconciliation) -> list[PlannedSlice]:
    """Return a slice for each day with missing hours. Which hours they are would not fit into a state's output."""
    with ledger_errors():
        return _group_by_day({hour.start for hour in read_missing_hours(own_ledger(), request.reconciliation)})


def _group_by_day(hours: Iterable[int]) -> list[PlannedSlice]:
    days: defaultdict[int, list[int]] = defaultdict(list)
    for hour in sorted(hours):
        days[hour // _DAY_SECONDS].append(hour)
    return [{"start": day[0], "end": day[-1] + HOUR_SECONDS} for day in days.values()]


at_initialization(own_ledger)
