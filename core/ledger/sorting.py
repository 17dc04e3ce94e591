"""Sort receipts: write what they have into runs by the hour of the usage.

It can be repeated: the same receipts make the same runs, and an entry that is in two runs is read once.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import TYPE_CHECKING

from amberflo_workflows.core.ledger.runs import RunItem, Sorter
from amberflo_workflows.core.ledger.store import PARALLEL_OBJECTS, LedgerStore, ReceiptIndex, StoredObject

if TYPE_CHECKING:
    from amberflo_workflows.core.ledger.receipt import LedgerEntry


def sort_receipts(store: LedgerStore, receipts: Sequence[StoredObject]) -> int:
    """Sort receipts and return the number of their entries.

    Raises botocore's errors and :class:`~amberflo_workflows.core.ledger.receipt.UnreadableObject`.
    """
    name = hashlib.sha256("\n".join(receipt.key for receipt in receipts).encode()).hexdigest()[:32]
    numbers = count()

    def write_run(hour: int, items: Iterable[RunItem]) -> None:
        store.write_run(hour, items, f"{name}-{next(numbers):04}")

    sorter = Sorter(write_run)
    hours: dict[str, set[int]] = {receipt.key: set() for receipt in receipts}
    rules: dict[str, list[LedgerEntry]] = defaultdict(list)
    entries = 0
    for entry in store.read_receipts(receipts):
        entries += 1
        if entry.record:
            hours[entry.receipt].add(sorter.add(entry))
        elif entry.rule:
            rules[entry.receipt].append(entry)
    sorter.flush()
    for key, rule_entries in rules.items():
        store.write_rules(key, rule_entries)
    # The index comes last: it says that a receipt needs not be read any more.
    with ThreadPoolExecutor(PARALLEL_OBJECTS) as pool:
        for _ in pool.map(store.write_index, hours, [ReceiptIndex(sorted(part)) for part in hours.values()]):
            pass
    return entries
