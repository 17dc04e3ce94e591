"""Split the hours of a reconciliation into parts, each of which can be read and compared by one invocation.

Input: ``{"request", "execution": {"name", "startTime"}}``; the request is that of ``list_unsorted``'s output. Output:
``{"parts": [{"start", "end"}…]}`` in epoch seconds: at most a day each, shorter if there is much usage. Raises
``LedgerUnavailable``.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import Struct

from amberflo_workflows.core.initialization import at_initialization
from amberflo_workflows.core.ledger.errors import ledger_errors
from amberflo_workflows.core.ledger.layout import HOUR_SECONDS, SORTED_PREFIX, format_folder, parse_hour, start_of_hour
from amberflo_workflows.core.ledger.receipt import RECEIPTS_PREFIX
from amberflo_workflows.core.ledger.requests import ReconciliationRequest
from amberflo_workflows.core.ledger.store import LedgerStore, own_ledger
from amberflo_workflows.core.observability import logger
from amberflo_workflows.tasks.reconciliation_step import ComparedPart, ReconciliationExecution

# Half a million records or so. If each is the only one of its tenant, meter and hour, their sums take the most memory:
# about 0.7 kB for each, on both sides.
MAX_PART_BYTES: Final = 16_000_000
# Firehose delivers a receipt within a day or never; its object is under the hour in which the receipt arrived.
_DELIVERY_SECONDS: Final = 25 * HOUR_SECONDS
_DAY_SECONDS: Final = 24 * HOUR_SECONDS


class PlanComparison(Struct):
    """The event of this step."""

    request: ReconciliationRequest
    execution: ReconciliationExecution


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    step_input = msgspec.convert(event, PlanComparison)
    logger.set_correlation_id(step_input.execution.name)
    request = step_input.request
    start, end = request.start_time_in_seconds, request.end_time_in_seconds
    with ledger_errors():
        store = own_ledger()
        _note_sorted(store, step_input.execution.start_time)
        hours = set(range(start, end, HOUR_SECONDS))
        if request.late_usage:
            hours |= store.read_touched_hours(start, end)
        parts = list(_split(sorted(hours), _measure(store, min(hours), max(hours))))
        return {"parts": msgspec.to_builtins(parts)}


def _note_sorted(store: LedgerStore, start_time: datetime) -> None:
    """Note before which hour all receipts are sorted, unless one of them could not be."""
    until, before = start_of_hour(int(start_time.timestamp()) - _DELIVERY_SECONDS), store.read_sorted_until()
    unsorted = store.list_unsorted(before, last=format_folder(RECEIPTS_PREFIX, until))
    if until > before and next(unsorted, None) is None:
        store.write_sorted_until(until)


def _measure(store: LedgerStore, first: int, last: int) -> Counter[int]:
    """Return the bytes of the runs of each hour."""
    sizes: Counter[int] = Counter()
    for run in store.list_hours(SORTED_PREFIX, first, last):
        sizes[parse_hour(run.key)] += run.size
    return sizes


def _split(hours: Iterable[int], sizes: Mapping[int, int]) -> Iterator[ComparedPart]:
    """Put the hours of a day into a part, with those between them: each part asks Amberflo for each meter."""
    part: ComparedPart | None = None
    size = 0
    for hour in hours:
        size += sizes.get(hour, 0)
        if part and part.start // _DAY_SECONDS == hour // _DAY_SECONDS and size <= MAX_PART_BYTES:
            part.end = hour + HOUR_SECONDS
            continue
        if part:
            yield part
        part, size = ComparedPart(hour, hour + HOUR_SECONDS), sizes.get(hour, 0)
    if part:
        yield part


at_initialization(own_ledger)
