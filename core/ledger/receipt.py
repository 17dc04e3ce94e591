"""A receipt: what one execution was told about its usage, in the ledger.

A receipt has a line of JSON for each usage, an :class:`Entry`, and is compressed with gzip. An object of the ledger has
one receipt after the other, which is valid gzip as well, under the hour (UTC) of the first one:
``receipts/date=2026-11-27/hour=15/….ndjson.gz``.

A usage that is delivered twice can be in two receipts, and a receipt can be written twice. A record has the same bytes
whenever it is sent, so that readers can tell.
"""

import gzip
import io
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Final, Literal

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

RECEIPTS_PREFIX: Final = "receipts/"

Outcome = Literal["counted", "rejected", "cancelled", "rule"]
# Whether a line may have an entry that is needed. A line is decoded only then, which takes longer than all else.
LineFilter = Callable[[bytes], bool]


class Rejection(Struct, rename="camel"):
    """A usage that was not counted; ``id`` is that of its item in the rejected table, which has the reason."""

    id: str
    unique_id: str
    tenant_id: str
    meter_api_name: str


class Entry(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """A usage: its outcome, and the event and the execution that it came with. Or a rule that cancels usage.

    ``record`` is what Amberflo counted or cancelled, in the bytes that were sent; a ``rejection`` stands for what it
    did not count, and a ``rule`` is as the caller wrote it. ``time`` (ISO 8601) is when Amberflo had responded,
    ``key_version`` the version of the secret with the API key. ``index`` is the position of the usage in its event.
    """

    outcome: Outcome
    time: str
    execution_arn: str
    key_version: str
    event_id: str = ""
    index: int = 0
    record: Raw | UnsetType = UNSET
    rejection: Rejection | UnsetType = UNSET
    rule: Raw | UnsetType = UNSET


class LedgerEntry(Entry, kw_only=True):
    """An entry with the key of the object that has its receipt."""

    receipt: str = ""

    @property
    def content(self) -> bytes:
        """The bytes of its record, empty if it has none."""
        return bytes(self.record) if self.record else b""


class UnreadableObject(Exception):
    """An object of the ledger is not what it should be; the message names it."""


def encode_receipt(entries: Iterable[Entry]) -> bytes:
    """Return the content of a receipt; the same entries have the same bytes."""
    # Without mtime, the header of gzip would have the time of day.
    return gzip.compress(msgspec.json.Encoder().encode_lines(entries), mtime=0)


def accept_all(_line: bytes) -> bool:
    """Accept every line."""
    return True


def decode_receipts(content: bytes, key: str, accept: LineFilter = accept_all) -> Iterator[LedgerEntry]:
    """Yield the entries of the receipts in an object, of the lines to ``accept``. Raises :class:`UnreadableObject`.

    Line by line, since an object of 64 MB inflates to a gigabyte.
    """
    decoder = msgspec.json.Decoder(LedgerEntry)
    try:
        with gzip.open(io.BytesIO(content)) as lines:
            for line in filter(accept, lines):
                entry = decoder.decode(line)
                entry.receipt = entry.receipt or key
                yield entry
    except (OSError, EOFError, zlib.error, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadableObject(f"The object {key} of the ledger cannot be read: {error}") from error
