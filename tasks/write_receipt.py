"""Write the receipt of a chunk of usage into the ledger: what Amberflo counted, and what was rejected.

Input: ``{"request": {"usages"}, "rejectedPlaces", "keyVersion", "execution": {"id", "name"}, "time"}``; ``usages`` and
``rejectedPlaces`` are as in ``send_usages``, ``id`` is the execution's ARN, and the time is ISO 8601. Output:
``{"entries"}``, their number. A record is a pure function of its usage, so it is built once more here and not passed
through the workflow, whose states could not hold it.

Raises ``ReceiptNotWritten``. Raises ``InvalidUsage`` if a usage that was counted has no record, which only a deployment
of another version during the execution could cause; the usage is then sent again.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from amberflo_workflows.core.initialization import at_initialization
from amberflo_workflows.core.ledger.receipt import Entry, Rejection
from amberflo_workflows.core.ledger.stream import FIREHOSE
from amberflo_workflows.core.observability import logger
from amberflo_workflows.core.reported_usage import ReportedUsage, build_rejected_usage
from amberflo_workflows.core.usage_record import build_record
from amberflo_workflows.tasks.receipt_step import ReceiptInput, ReceiptOutput, build_entry, encode_record, write


class ChunkRequest(Struct):
    """The chunk. Other members of the request are for the workflow."""

    usages: list[ReportedUsage]


class ChunkReceiptInput(ReceiptInput, kw_only=True):
    """The event of this step."""

    request: ChunkRequest
    rejected_places: list[int]


def handler(event: Any, _context: object) -> ReceiptOutput:
    step_input = msgspec.convert(event, ChunkReceiptInput)
    logger.set_correlation_id(step_input.execution.name)
    return write(_build_entries(step_input))


def _build_entries(step_input: ChunkReceiptInput) -> Iterator[Entry]:
    rejected_places = set(step_input.rejected_places)
    for place, reported in enumerate(step_input.request.usages):
        origin = {"event_id": reported.event_id, "index": reported.index}
        if place in rejected_places:
            rejection = msgspec.convert(build_rejected_usage(reported, place, ""), Rejection)
            yield build_entry(step_input, "rejected", rejection=rejection, **origin)
            continue
        record = build_record(
            reported.usage, event_id=reported.event_id, event_time=reported.event_time, reason=reported.reason
        )
        yield build_entry(step_input, "counted", record=encode_record(record), **origin)


at_initialization(FIREHOSE.prepare)
