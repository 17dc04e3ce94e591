"""A small history of usage in one process, and what a reconciliation says of it: ``python -m tests.mutants.scenario``.

Three tenants report usage of two meters in three hours. Then everything is delivered, half of it again; some is
delivered while Amberflo is down, and later again; a usage that was rejected is corrected, and redriven twice, since the
first result is lost. Prints the hours that differ, as JSON: between the ledger and Amberflo, and between what was
reported and Amberflo.
"""

import io
import itertools
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, Final

import msgspec
from msgspec import Struct

from amberflo_workflows.core.ledger.comparison import ComparedHour, compare_hours
from amberflo_workflows.core.ledger.layout import HOUR_SECONDS, start_of_hour
from amberflo_workflows.core.ledger.receipt import RECEIPTS_PREFIX
from amberflo_workflows.core.ledger.store import LedgerStore, StoredObject
from amberflo_workflows.core.ledger.totals import Hour, HourTotal, add_up
from amberflo_workflows.core.ledger.usages import LedgerUsage, UsageReader
from amberflo_workflows.core.usage_record import UsageRecord
from amberflo_workflows.operate.rejected.redrive import redrive
from amberflo_workflows.operate.rejected.table import RejectedTable
from amberflo_workflows.tasks.amberflo.client import AmberfloClient
from amberflo_workflows.tasks.amberflo.hourly_usage import fetch_hours
from tests.histories import calls
from tests.histories.events import Event
from tests.histories.faults import Fault, Kind
from tests.histories.ledger import Form, Usage
from tests.histories.network import AMBERFLO_URL
from tests.histories.observed import list_items
from tests.histories.stack import METERS, VISIBILITY_SECONDS, Stack, running_stack

TENANTS: Final = ("tenant-a", "tenant-b", "tenant-c")
_HOURS: Final = 3
_MAX_BATCH: Final = 50


class Outcome(Struct):
    """The hours that differ."""

    ledger: list[ComparedHour]
    reported: list[ComparedHour]


@dataclass(frozen=True)
class MemoryStore(LedgerStore):
    """A ledger whose only objects are receipts, in memory."""

    receipts: tuple[bytes, ...]

    def iterate_objects(self, prefix: str, *, after: str = "", last: str = "") -> Iterator[StoredObject]:
        for number, receipt in enumerate(self.receipts):
            key = f"{RECEIPTS_PREFIX}date=2026-11-27/hour=15/{number:04}.ndjson.gz"
            if key.startswith(prefix) and key > after and (not last or key <= last):
                yield StoredObject(key, len(receipt), datetime.now(UTC))

    def get(self, item: StoredObject) -> bytes:
        return self.receipts[int(item.key.rpartition("/")[2].partition(".")[0])]

    def download(self, key: str) -> IO[bytes]:
        return io.BytesIO(self.get(StoredObject(key, 0, datetime.now(UTC))))


class Scenario:
    """The history, on a stack that runs; ``reported`` has the sums that the tenants must be billed for."""

    def __init__(self, stack: Stack) -> None:
        stack.reset()
        self._stack = stack
        self._start = start_of_hour(int(stack.clock.now))
        self._numbers = itertools.count(1)
        self.reported: Counter[Hour] = Counter()

    def run(self) -> None:
        for hour, tenant, meter in itertools.product(range(_HOURS), TENANTS, METERS):
            self._report(hour, *(self._build_usage(hour, tenant, meter, has_own=own) for own in (True, False, False)))
        acknowledged = self._deliver()
        calls.deliver(acknowledged[::2])
        self._report_during_an_outage()
        self._redrive_a_rejected_usage()

    def compare(self) -> Outcome:
        """Compare what was reported, and what the ledger has, with Amberflo's report."""
        # A break may change the time of usage.
        end = int(time.time())
        amberflo = self._fetch_amberflo(end)
        store = MemoryStore(self._stack.client("s3"), "", tuple(self._stack.network.receipts))
        ledger = add_up(UsageReader(store, self._start, end).read())
        return Outcome(_find_differences(ledger, amberflo), _find_differences(_to_totals(self.reported), amberflo))

    def _build_usage(self, hour: int, tenant: str, meter: str, *, has_own: bool, form: Form = Form.GOOD) -> Usage:
        number = next(self._numbers)
        start = self._start + hour * HOUR_SECONDS
        identity = (f"own-{number}", (start + number) * 1000) if has_own else None
        self.reported[Hour(meter, tenant, start)] += number
        return Usage(number, tenant, meter, form, identity)

    def _report(self, hour: int, *usages: Usage) -> None:
        """Queue the event of some usages, which arose in the hour."""
        event = Event(list(usages), self._start + hour * HOUR_SECONDS + HOUR_SECONDS // 2)
        self._stack.client("sqs").send_message(QueueUrl=self._stack.outputs["UsageQueueUrl"], MessageBody=event.body)

    def _deliver(self) -> list[calls.Message]:
        acknowledged = calls.deliver(calls.receive(self._stack, _MAX_BATCH))
        calls.delete(self._stack, acknowledged)
        return acknowledged

    def _report_during_an_outage(self) -> None:
        for tenant in TENANTS:
            self._report(0, self._build_usage(0, tenant, METERS[0], has_own=False))
        with self._stack.fault(Fault(Kind.UNAVAILABLE, always=True)):
            self._deliver()
        self._stack.clock.sleep(VISIBILITY_SECONDS + 1)
        self._deliver()

    def _redrive_a_rejected_usage(self) -> None:
        usage = self._build_usage(1, TENANTS[1], METERS[1], has_own=False, form=Form.UNKNOWN_METER)
        self._report(1, usage)
        self._deliver()
        (item,) = list_items()
        RejectedTable(self._stack).edit(item, usage.fixed.body)
        with self._stack.fault(Fault(Kind.STARTER_KILLED_AFTER_END)):
            self._redrive()
        assert self._redrive() == [True]

    def _redrive(self) -> list[bool]:
        """Redrive all rejected usage; return whether each one is counted."""
        return [result.counted for result in redrive(self._stack, list(list_items()))]

    def _fetch_amberflo(self, end: int) -> dict[Hour, float]:
        client = AmberfloClient("key-0", AMBERFLO_URL, AMBERFLO_URL, 30)
        return {hour: value for meter in METERS for hour, value in fetch_hours(client, meter, self._start, end)}


def _to_totals(sums: Mapping[Hour, float]) -> dict[Hour, HourTotal]:
    """The sums of hours as those of a ledger."""
    now = datetime.now(UTC).isoformat()
    return add_up(
        LedgerUsage(UsageRecord(hour.tenant, hour.meter, value, hour.start * 1000, "", {}), b"", [], "", now)
        for hour, value in sums.items()
    )


def _find_differences(ledger: Mapping[Hour, HourTotal], amberflo: Mapping[Hour, float]) -> list[ComparedHour]:
    in_an_hour = int(time.time()) + HOUR_SECONDS
    return [hour for hour in compare_hours(ledger, amberflo, in_an_hour) if hour.outcome != "agreed"]


def run_scenario() -> Outcome:
    """Run the history on a stack of its own."""
    with running_stack() as stack:
        scenario = Scenario(stack)
        scenario.run()
        return scenario.compare()


if __name__ == "__main__":
    print(msgspec.json.encode(run_scenario()).decode())
