"""Sort some receipts of the ledger by the hour of their usage.

Input: ``{"batch": {"after", "last"}, "execution": {"name"}}``: the receipts with keys after one and up to another, but
not those that are sorted already. Output: ``{"receipts", "entries"}``, their numbers. It can be repeated. Raises
``LedgerUnavailable``, and ``UnreadableObject`` if a receipt is damaged.
"""

from typing import Any

import msgspec
from msgspec import Struct

from amberflo_workflows.core.initialization import at_initialization
from amberflo_workflows.core.ledger.errors import ledger_errors
from amberflo_workflows.core.ledger.sorting import sort_receipts
from amberflo_workflows.core.ledger.store import own_ledger
from amberflo_workflows.core.observability import logger
from amberflo_workflows.tasks.reconciliation_step import ReceiptBatch, ReconciliationExecution


class SortBatch(Struct):
    """The event of this step."""

    batch: ReceiptBatch
    execution: ReconciliationExecution


def handler(event: dict[str, Any], _context: object) -> dict[str, int]:
    step_input = msgspec.convert(event, SortBatch)
    logger.set_correlation_id(step_input.execution.name)
    with ledger_errors():
        store = own_ledger()
        receipts = list(store.list_unsorted(0, after=step_input.batch.after, last=step_input.batch.last))
        return {"receipts": len(receipts), "entries": sort_receipts(store, receipts)}


at_initialization(own_ledger)
