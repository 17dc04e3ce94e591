"""A file of records that were acknowledged but are not in the database yet, so that a killed process loses none.

A commit to the database takes milliseconds and a line in the file takes microseconds, so the database is written once
a second. A record that is written to the database twice counts once.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec


class Record(NamedTuple):
    """One value of one meter. ``dimensions`` is JSON with sorted keys, ``ingested`` epoch seconds."""

    meter: str
    customer: str
    at_ms: int
    value: float
    unique_id: str
    dimensions: str
    ingested: float
    cancels: bool


class UsageJournal:
    """A file with one record per line."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # Unbuffered: a record must leave the process before it is acknowledged.
        self._file = path.open("ab", buffering=0)

    def load(self) -> list[Record]:
        """Read the records of a killed process. An incomplete last line was not acknowledged and is removed."""
        text = self._path.read_bytes()
        *lines, incomplete = text.split(b"\n")
        self._file.truncate(len(text) - len(incomplete))
        return [msgspec.json.decode(line, type=Record) for line in lines]

    def append(self, records: Sequence[Record]) -> None:
        """Append records."""
        self._file.write(b"".join(msgspec.json.encode(record) + b"\n" for record in records))

    def clear(self) -> None:
        """Empty the file, when the database has its records."""
        self._file.truncate(0)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
