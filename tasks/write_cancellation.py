"""Write the receipt of a cancellation into the ledger.

Input: ``{"request", "keyVersion", "execution": {"id", "name"}, "time"}``; the request is that of ``cancel_usage``,
``id`` is the execution's ARN, and the time is ISO 8601. Output: ``{"entries"}``, their number: one for a rule, or one
for each cancelled record, as it was when it was counted. Raises ``ReceiptNotWritten``.
"""

from typing import Any

import msgspec
from msgspec import Raw

from amberflo_workflows.core.initialization import at_initialization
from amberflo_workflows.core.ledger.receipt import Entry
from amberflo_workflows.core.ledger.stream import FIREHOSE
from amberflo_workflows.core.observability import logger
from amberflo_workflows.core.usage_record import build_record
from amberflo_workflows.tasks.receipt_step import ReceiptInput, ReceiptOutput, build_entry, encode_record, write


def handler(event: Any, _context: object) -> ReceiptOutput:
    step_input = msgspec.convert(event, ReceiptInput)
    logger.set_correlation_id(step_input.execution.name)
    return write(_build_entries(step_input))


def _build_entries(step_input: ReceiptInput) -> list[Entry]:
    request = step_input.request
    if "records" not in request:
        return [build_entry(step_input, "rule", rule=Raw(msgspec.json.encode(request)))]
    records = [build_record(usage, event_id="", event_time="") for usage in request["records"]]
    return [build_entry(step_input, "cancelled", record=encode_record(record)) for record in records]


at_initialization(FIREHOSE.prepare)
