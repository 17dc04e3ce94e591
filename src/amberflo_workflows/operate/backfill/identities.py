"""The identities of the rows of a file, to tell which rows repeat an earlier one."""

import hashlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from amberflo_workflows.core.usage_record import UsageRecord

# SQLite keeps what does not fit into its cache in a temporary file, so that a file may have any number of rows.
_CACHE_KIB: Final = 64_000


@dataclass
class RowIdentities:
    """Rows, in a dry run, that have no ``uniqueId``, and that repeat the identity of an earlier row."""

    by_position: int = 0
    repeated: int = 0
    repeated_with_another_value: int = 0

    def add_repetition(self, *, is_same: bool) -> None:
        """Add a row whose identity an earlier row has."""
        if is_same:
            self.repeated += 1
        else:
            self.repeated_with_another_value += 1

    def describe(self) -> Iterator[str]:
        """Yield what to know before the file is sent, in a sentence each."""
        if self.repeated:
            yield f"{self.repeated:,} rows repeat an earlier row (uniqueId, time and dimensions): they count once."
        if self.repeated_with_another_value:
            yield (
                f"{self.repeated_with_another_value:,} rows repeat an earlier row with another value: Amberflo counts "
                "the latest value only, unless the meter's deduplicationConfig says otherwise."
            )
        if self.by_position:
            yield (
                f"{self.by_position:,} rows have no uniqueId: each is identified by its text and position. An equal "
                "row at the same position of another file is the same usage, and an edited file has other rows."
            )


class IdentityIndex:
    """The values by identity: a record without its value."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self._database.execute("CREATE TABLE seen (identity BLOB PRIMARY KEY, value TEXT) WITHOUT ROWID")
        self._database.execute("BEGIN")

    def add(self, record: UsageRecord) -> float | None:
        """Add a record. Return the value of the latest record with its identity, ``None`` if it is the first."""
        identity = hashlib.sha256(msgspec.json.encode(msgspec.structs.replace(record, meter_value=0))).digest()[:16]
        row = self._database.execute("SELECT value FROM seen WHERE identity = ?", [identity]).fetchone()
        self._database.execute("INSERT OR REPLACE INTO seen VALUES (?, ?)", [identity, repr(record.meter_value)])
        return None if row is None else float(row[0])

    def close(self) -> None:
        """Delete the temporary file."""
        self._database.close()
