"""The memory of each function. CPU grows with it: 1,769 MB have a full core.

``docs/benchmarks.md`` has the measurements. A function pays for its memory also while it waits for Amberflo.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

# Three times the most that a function had with its largest event (``make bench ARGS=cold``).
DEFAULT_MEMORY_MB: Final = 256
# The functions that need more processor time or memory, by their names.
MEMORY_MB: Final[Mapping[str, int]] = MappingProxyType(
    {
        # Responses of up to 6 MB, and calls with an Idempotency-Key, load boto3 while the caller waits.
        "Api": 512,
        "FetchUsage": 512,
        "ListCustomers": 512,
        "ListMeters": 512,
        "ListUsage": 512,
        # Up to a million records have to be read for a page while the caller waits, so it has a full core.
        "ReadRecords": 1769,
        # Batches of up to 6 MB: with half of the processor time, five pollers would process fewer of them.
        "IngestQueue": 512,
        # Files of any size, which may be compressed.
        "BackfillPlan": 512,
        "BackfillSendRange": 512,
        # Any number of receipts, of which 32 MB are held in memory, and twice as much to sort them.
        "SortBatch": 1024,
        "CompareHours": 1024,
        "SendUsagesAgain": 1024,
    }
)


def get_memory_mb(name: str) -> int:
    """Return the memory of the function with this name in Pascal case."""
    return MEMORY_MB.get(name, DEFAULT_MEMORY_MB)
