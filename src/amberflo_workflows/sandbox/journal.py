"""Records that were acknowledged and are not in the database yet, in a file: they outlive a process that is killed.

The database takes milliseconds for a commit and the file microseconds for a line, so the database is written once a
second. A record that was written to it already changes nothing when it is written again: it counts once.
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
    """One file with a record a line."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # What is written has to leave the process before it is acknowledged.
        self._file = path.open("ab", buffering=0)

    def left(self) -> list[Record]:
        """What a process that was killed has left. A last line without an end was not acknowledged, and goes."""
        text = self._path.read_bytes()
        *lines, torn = text.split(b"\n")
        self._file.truncate(len(text) - len(torn))
        return [msgspec.json.decode(line, type=Record) for line in lines]

    def note(self, records: Sequence[Record]) -> None:
        """Keep records."""
        self._file.write(b"".join(msgspec.json.encode(record) + b"\n" for record in records))

    def clear(self) -> None:
        """All of it is in the database."""
        self._file.truncate(0)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
