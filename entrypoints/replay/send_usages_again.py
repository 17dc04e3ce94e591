"""Send the usage of a slice of the ledger to ``ingest_usage`` again: byte for byte what Amberflo counted.

Input: ``{"request", "slice"}`` from the plan. Output: the slice with the numbers of usages that were ``sent``, that
were ``rejected``, and that are ``cancelled`` or ``tooOld`` and so not sent. Unless ``isSent``, time was short: its
``start`` is then where to go on. With ``dryRun`` nothing is sent, and ``sent`` is what would be.

Usage that is cancelled is not sent, since Amberflo would count it. Raises ``ChunkNotSent`` and ``LedgerUnavailable``,
which the workflow retries: usage that is sent again counts once. Raises ``RecordNotRebuilt`` at the end of a slice,
after all else is sent, and ``UnreadableObject`` if the ledger is damaged.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import Any, Final

import msgspec
from aws_lambda_powertools import Logger
from msgspec import Struct

from amberflo_workflows.core.chunks import EncodedUsage, encode_usage, split_into_chunks
from amberflo_workflows.core.initialization import at_initialization
from amberflo_workflows.core.ledger.errors import ledger_errors
from amberflo_workflows.core.ledger.layout import start_of_hour
from amberflo_workflows.core.ledger.missing_hours import read_missing_hours
from amberflo_workflows.core.ledger.replay import RecordNotRebuilt, ReplaySlice, build_usage, iter_waves
from amberflo_workflows.core.ledger.store import LedgerStore, own_ledger
from amberflo_workflows.core.ledger.totals import Hour
from amberflo_workflows.core.ledger.usages import LedgerUsage, UsageReader
from amberflo_workflows.core.usage_record import MAX_AGE_MILLIS, UsageRecord
from amberflo_workflows.entrypoints import oversized, workflows
from amberflo_workflows.entrypoints.sending import Destination, send_chunks

logger = Logger()

Clock = Callable[[], float]

# After this time, the state starts again with the usage of the next second. The rest of its time is for the usage of a
# second, which may be much: usage of an hour may have the time of its start.
SEND_SECONDS: Final = 420
# Usage that becomes too old before the step ends would be rejected, although it may be counted.
MARGIN_MILLIS: Final = 15 * 60 * 1000
MAX_LOGGED_RECORDS: Final = 20
# Above the 240 s after which ingest_usage ends.
_STEP_FUNCTIONS: Final = workflows.step_functions(read_seconds=250)
_START: Final = workflows.start_with_api(_STEP_FUNCTIONS)


class Selection(Struct, rename="camel"):
    """Which usage of the slice to send: all of it, that of a meter or a tenant, or that of hours in a report."""

    meter_api_name: str | None
    tenant_id: str | None
    reconciliation: str | None
    dry_run: bool


class SendUsagesAgain(Struct):
    """The event of this step."""

    request: Selection
    slice: ReplaySlice


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    logger.set_correlation_id(str(event.get("execution", {}).get("name", "")))
    step_input = msgspec.convert(event, SendUsagesAgain)
    with ledger_errors():
        replay = SliceReplay(step_input.request, step_input.slice, own_ledger(), time.time())
        replay.run()
    outcome: dict[str, Any] = msgspec.to_builtins(replay.slice)
    logger.info("slice replayed", extra=outcome)
    return outcome


class SliceReplay:
    """Sends the usage of a slice again, and counts it in the slice.

    ``now`` is in epoch seconds; ``clock`` returns seconds, of which only differences matter.
    """

    def __init__(
        self, selection: Selection, part: ReplaySlice, store: LedgerStore, now: float, *, clock: Clock = time.monotonic
    ) -> None:
        self.slice = part
        self._selection = selection
        self._clock = clock
        self._stop_at = clock() + SEND_SECONDS
        self._oldest_millis = int(now * 1000) - MAX_AGE_MILLIS + MARGIN_MILLIS
        self._is_selected = _select(selection, store)
        self._reader = UsageReader(store, part.start, part.end, tenant=selection.tenant_id)

    def run(self) -> None:
        """Send the usage, or only count it."""
        with closing(self._reader):
            self._send_waves()
        self.slice.is_sent = self.slice.start == self.slice.end
        if self.slice.is_sent and self.slice.not_rebuilt:
            raise RecordNotRebuilt(f"{self.slice.not_rebuilt} records were not sent: see the log of this step.")

    def _send_waves(self) -> None:
        for wave in iter_waves(self._iter_usages()):
            usages = self._build(wave)
            if self._selection.dry_run:
                self.slice.sent += sum(1 for _ in usages)
                continue
            for chunk in send_chunks(split_into_chunks(usages), _destination()):
                self.slice.sent += chunk.accepted
                self.slice.rejected += len(chunk.rejected)

    def _iter_usages(self) -> Iterator[LedgerUsage]:
        """Yield the usages to send, and move the start of the slice to where to go on."""
        second = self.slice.start
        for usage in self._reader.read():
            previous, second = second, usage.record.meter_time_in_millis // 1000
            if second != previous and self._clock() >= self._stop_at:
                self.slice.start = second
                return
            if self._is_selected(usage.record) and self._is_to_send(usage):
                yield usage
        self.slice.start = self.slice.end

    def _is_to_send(self, usage: LedgerUsage) -> bool:
        if usage.cancelled_by:
            self.slice.cancelled += 1
        elif usage.record.meter_time_in_millis < self._oldest_millis:
            self.slice.too_old += 1
        else:
            return True
        return False

    def _build(self, usages: Iterable[LedgerUsage]) -> Iterator[EncodedUsage[None]]:
        for usage in usages:
            try:
                yield encode_usage(None, build_usage(usage))
            except RecordNotRebuilt:
                self.slice.not_rebuilt += 1
                if self.slice.not_rebuilt <= MAX_LOGGED_RECORDS:
                    logger.exception("record not rebuilt")


def _select(selection: Selection, store: LedgerStore) -> Callable[[UsageRecord], bool]:
    """Return whether a record is one that the request selects."""
    if selection.reconciliation:
        hours = set(read_missing_hours(store, selection.reconciliation))
        return lambda record: (
            Hour(record.meter_api_name, record.customer_id, start_of_hour(record.meter_time_in_millis // 1000)) in hours
        )
    return lambda record: (
        selection.meter_api_name in {None, record.meter_api_name} and selection.tenant_id in {None, record.customer_id}
    )


def _destination() -> Destination:
    return Destination(
        os.environ["INGEST_USAGE_STATE_MACHINE_ARN"],
        os.environ["REJECTED_TABLE_NAME"],
        _START,
        oversized.dynamodb_client(),
    )


at_initialization(_STEP_FUNCTIONS.prepare)
at_initialization(own_ledger)
