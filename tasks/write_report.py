"""Add up the outcomes of a reconciliation, count what still waits, and write the report into the ledger.

Input: ``{"request", "planned": [part…], "parts": [{"outcomes", "metersWithoutSum"}…], "reconciliation", "execution":
{"id", "name", "startTime"}}``; the parts are the outputs of ``compare_hours``. Output: a 200 response with the result
of :func:`_build_result`, or ``{"failed"}``: how many planned parts have no outcome. Raises ``LedgerUnavailable``.
"""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec
from msgspec import Struct

from amberflo_workflows.core import aws
from amberflo_workflows.core.initialization import at_initialization
from amberflo_workflows.core.ledger.comparison import OUTCOMES, ComparedHour
from amberflo_workflows.core.ledger.errors import ledger_errors
from amberflo_workflows.core.ledger.report import Report
from amberflo_workflows.core.ledger.requests import ReconciliationRequest
from amberflo_workflows.core.ledger.store import own_ledger
from amberflo_workflows.core.observability import count_drift, logger
from amberflo_workflows.core.response import StepResponse, json_size, success
from amberflo_workflows.core.waiting_usage import MAX_REJECTED, UsageFilter, count_messages, count_rejected
from amberflo_workflows.tasks.reconciliation_step import ReconciliationExecution

# A state's output has at most 262,144 bytes, and the event usageDrift has a part of the result.
MAX_DIFFERENCES: Final = 500
MAX_DIFFERENCES_BYTES: Final = 150_000


class PartOutcome(Struct, rename="camel"):
    """The output of ``compare_hours``."""

    outcomes: dict[str, int]
    meters_without_sum: list[str]


class WriteReport(Struct):
    """The event of this step."""

    request: ReconciliationRequest
    planned: list[Any]
    parts: list[Any]
    reconciliation: str
    execution: ReconciliationExecution


def handler(event: dict[str, Any], _context: object) -> StepResponse | dict[str, int]:
    step_input = msgspec.convert(event, WriteReport)
    logger.set_correlation_id(step_input.execution.name)
    parts = list(_read_outcomes(step_input.parts))
    if len(parts) < len(step_input.planned):
        return {"failed": len(step_input.planned) - len(parts)}
    with ledger_errors():
        report = Report(own_ledger(), step_input.reconciliation)
        result = _build_result(step_input, parts, report)
        report.write_result(result)
    count_drift(result["outcomes"]["missing"] + result["outcomes"]["unknown"])
    return success(200, result)


def _read_outcomes(outputs: Iterable[Any]) -> Iterator[PartOutcome]:
    """Yield the outcomes of the parts that have one. What an execution that was stopped has is not documented."""
    for output in outputs:
        try:
            yield msgspec.convert(output, PartOutcome)
        except msgspec.ValidationError:
            logger.warning("part without an outcome", extra={"output": output})


def _build_result(step_input: WriteReport, parts: list[PartOutcome], report: Report) -> dict[str, Any]:
    request = step_input.request
    outcomes: Counter[str] = Counter()
    for part in parts:
        outcomes.update(part.outcomes)
    number = sum(outcomes.values()) - outcomes["agreed"]
    differences = _select(report.read_differences()) if number else []
    return {
        "id": step_input.reconciliation,
        "executionArn": step_input.execution.id,
        "startedAt": step_input.execution.start_time.isoformat(),
        **msgspec.to_builtins(request),
        "outcomes": {outcome: outcomes[outcome] for outcome in OUTCOMES},
        "hasDrift": outcomes["missing"] + outcomes["unknown"] > 0,
        "differences": msgspec.to_builtins(differences),
        "differencesOmitted": number - len(differences),
        "metersWithoutSum": sorted({meter for part in parts for meter in part.meters_without_sum}),
        "waiting": _count_waiting(request),
        "report": {"bucket": report.store.bucket, "prefix": report.folder},
    }


def _select(differences: Iterable[ComparedHour]) -> list[ComparedHour]:
    """Return the first differences, as many as a response may have, with those that are drift before others."""
    selected: list[ComparedHour] = []
    fresh: list[ComparedHour] = []
    free_bytes = MAX_DIFFERENCES_BYTES
    for hour in differences:
        rows = fresh if hour.outcome == "tooFresh" else selected
        free_bytes -= json_size(msgspec.to_builtins(hour))
        if free_bytes < 0 or len(rows) >= MAX_DIFFERENCES:
            break
        rows.append(hour)
    return [*selected, *fresh][:MAX_DIFFERENCES]


def _count_waiting(request: ReconciliationRequest) -> dict[str, int]:
    """Count what is on neither side: rejected usage of the range, and all events in the queues."""
    usage_filter = UsageFilter(
        request.start_time_in_seconds, request.end_time_in_seconds, request.meter_api_name, request.tenant_id
    )
    dynamodb, sqs = (aws.client(service, read_seconds=10) for service in ("dynamodb", "sqs"))
    rejected = count_rejected(dynamodb, os.environ["REJECTED_TABLE_NAME"], usage_filter, MAX_REJECTED)
    messages = count_messages(sqs, os.environ["USAGE_QUEUE_URL"], os.environ["USAGE_DEAD_LETTERS_URL"])
    return {"rejected": rejected, "queued": messages["queued"], "dead": messages["dead"]}


at_initialization(own_ledger)
