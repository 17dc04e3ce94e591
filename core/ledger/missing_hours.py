"""The hours that the report of a reconciliation calls missing: Amberflo reports less than the ledger has."""

import gzip
import zlib
from collections.abc import Iterator
from typing import Final

import msgspec

from amberflo_workflows.core.ledger.comparison import ComparedHour
from amberflo_workflows.core.ledger.receipt import UnreadableObject
from amberflo_workflows.core.ledger.store import LedgerStore
from amberflo_workflows.core.ledger.totals import Hour

RECONCILIATIONS_PREFIX: Final = "reconciliations/"
_compared_hours: Final = msgspec.json.Decoder(ComparedHour)


class NoReport(Exception):
    """There is no report of a reconciliation with this id."""


def read_missing_hours(store: LedgerStore, reconciliation: str) -> Iterator[Hour]:
    """Yield the missing hours in the report of a reconciliation.

    Raises :class:`NoReport`, botocore's errors and :class:`~amberflo_workflows.core.ledger.receipt.UnreadableObject`.
    """
    folder = f"{RECONCILIATIONS_PREFIX}{reconciliation}/"
    keys = [item.key for item in store.list_objects(folder)]
    if not keys:
        raise NoReport(f"There is no report of a reconciliation '{reconciliation}'.")
    for key in keys:
        if key.startswith(f"{folder}differences-") and key.endswith(".ndjson.gz"):
            yield from _read_part(store, key)


def _read_part(store: LedgerStore, key: str) -> Iterator[Hour]:
    try:
        with store.download(key) as file, gzip.open(file) as lines:
            for line in lines:
                hour = _compared_hours.decode(line)
                if hour.outcome == "missing":
                    yield Hour(hour.meter_api_name, hour.tenant_id, hour.start_time_in_seconds)
    except (gzip.BadGzipFile, EOFError, zlib.error, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadableObject(f"The object {key} of the ledger cannot be read: {error}") from error
