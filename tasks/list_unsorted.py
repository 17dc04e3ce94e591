"""First step of ``reconcile_usage``: check the request, and list the receipts that are not sorted yet.

Input: ``{"request", "execution": {"name", "startTime"}}``; the request is that of
:class:`~amberflo_workflows.core.ledger.requests.ReconciliationRequest`, or a schedule's. Output: ``{"request",
"batches": [{"after", "last"}…]}``, in which the request has its lag, and a batch is the receipts with keys after one
and up to another; or a 400 response. Raises ``LedgerUnavailable``.
"""

import os
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any, Final

import msgspec
from msgspec import Struct

from amberflo_workflows.core.initialization import at_initialization
from amberflo_workflows.core.ledger.errors import ledger_errors
from amberflo_workflows.core.ledger.layout import format_folder
from amberflo_workflows.core.ledger.receipt import RECEIPTS_PREFIX
from amberflo_workflows.core.ledger.requests import parse_reconciliation
from amberflo_workflows.core.ledger.store import StoredObject, own_ledger
from amberflo_workflows.core.observability import logger
from amberflo_workflows.core.response import StepResponse, validation_error_response
from amberflo_workflows.tasks.reconciliation_step import ReceiptBatch, ReconciliationExecution

# A batch is sorted by one invocation. Firehose's largest objects have 64 MB, and then are a batch each.
MAX_BATCH_BYTES: Final = 32_000_000
MAX_BATCH_OBJECTS: Final = 500
# A state's output has at most 262,144 bytes. The next execution sorts the others; until then, they are
# read as they are.
MAX_BATCHES: Final = 400


class ListUnsorted(Struct):
    """The event of this step."""

    request: Any
    execution: ReconciliationExecution


def handler(event: dict[str, Any], _context: object) -> dict[str, Any] | StepResponse:
    step_input = msgspec.convert(event, ListUnsorted)
    logger.set_correlation_id(step_input.execution.name)
    try:
        request = parse_reconciliation(step_input.request, int(os.environ["RECONCILIATION_LAG_SECONDS"]))
    except msgspec.ValidationError as error:
        return validation_error_response(error)
    with ledger_errors():
        batches = _list_batches(step_input.execution.start_time)
    return {"request": msgspec.to_builtins(request), "batches": msgspec.to_builtins(batches)}


def _list_batches(start_time: datetime) -> list[ReceiptBatch]:
    """List what was in the ledger when the execution started, so that it comes to an end."""
    store = own_ledger()
    sorted_until = store.read_sorted_until()
    unsorted = (receipt for receipt in store.list_unsorted(sorted_until) if receipt.modified <= start_time)
    return list(islice(_split(unsorted, format_folder(RECEIPTS_PREFIX, sorted_until)), MAX_BATCHES))


def _split(receipts: Iterable[StoredObject], after: str) -> Iterator[ReceiptBatch]:
    size = count = 0
    last = ""
    for receipt in receipts:
        if count and (size + receipt.size > MAX_BATCH_BYTES or count == MAX_BATCH_OBJECTS):
            yield ReceiptBatch(after, last)
            after, size, count = last, 0, 0
        last = receipt.key
        size += receipt.size
        count += 1
    if count:
        yield ReceiptBatch(after, last)


at_initialization(own_ledger)
