"""The report of a reconciliation, in the ledger's bucket: ``reconciliations/ID/``.

``hours-START.ndjson.gz`` has all hours that were compared by one step, from an hour on; ``differences-START.ndjson.gz``
those that differ; ``report.json`` is the result.
"""

import gzip
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from amberflo_workflows.core.ledger.comparison import ComparedHour
from amberflo_workflows.core.ledger.layout import REPORTS_PREFIX
from amberflo_workflows.core.ledger.receipt import UnreadableObject
from amberflo_workflows.core.ledger.store import LedgerStore

_compared_hours: Final = msgspec.json.Decoder(ComparedHour)


class NoReport(Exception):
    """There is no report of a reconciliation with this id."""


@dataclass(frozen=True)
class Report:
    """The report of the reconciliation with this id. Methods raise botocore's errors."""

    store: LedgerStore
    reconciliation: str

    @property
    def folder(self) -> str:
        """What the keys of its objects start with."""
        return f"{REPORTS_PREFIX}{self.reconciliation}/"

    def write_hours(self, start: int, hours: Sequence[ComparedHour]) -> None:
        """Write the hours that were compared by one step, the first of which is ``start`` in epoch seconds."""
        differences = [hour for hour in hours if hour.outcome != "agreed"]
        for name, rows in (("hours", hours), ("differences", differences)):
            if rows:
                content = gzip.compress(msgspec.json.Encoder().encode_lines(rows), mtime=0)
                self.store.put(f"{self.folder}{name}-{start}.ndjson.gz", content)

    def read_differences(self) -> Iterator[ComparedHour]:
        """Yield the hours that differ, in the order of the parts, and in them of meter, tenant and hour.

        Raises :class:`NoReport` and :class:`~amberflo_workflows.core.ledger.receipt.UnreadableObject`.
        """
        keys = [item.key for item in self.store.iterate_objects(self.folder)]
        if not keys:
            raise NoReport(f"There is no report of a reconciliation '{self.reconciliation}'.")
        for key in keys:
            if key.startswith(f"{self.folder}differences-"):
                yield from self._read(key)

    def _read(self, key: str) -> Iterator[ComparedHour]:
        try:
            with self.store.download(key) as file, gzip.open(file) as lines:
                for line in lines:
                    yield _compared_hours.decode(line)
        except (gzip.BadGzipFile, EOFError, zlib.error, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UnreadableObject(f"The object {key} of the ledger cannot be read: {error}") from error

    def write_result(self, result: dict[str, Any]) -> None:
        """Write the result."""
        self.store.put(f"{self.folder}report.json", msgspec.json.encode(result))
