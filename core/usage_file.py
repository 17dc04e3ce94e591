"""A file of usages: CSV with a header, or a JSON object a line. How it is read, and what a row of it means.

A row is a line; it is known by the file's name and the byte at which it begins, so the same file gives the same
identities however it is read, and sending it again is harmless.
"""

import csv
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec
from msgspec import Meta, Struct

from amberflo_workflows.core.chunks import decoded
from amberflo_workflows.core.reported_usage import ReportedUsage

Format = Literal["csv", "ndjson"]
NEEDED: Final = ("tenantId", "meterApiName", "meterValue")
# A member that is no part of a usage but stands in for its time: ISO 8601.
TIME: Final = "time"
LONGEST_ROW_BYTES: Final = 1_000_000
# Each range is told of them in a state's input, of 262,144 bytes.
LONGEST_HEADER_BYTES: Final = 50_000
LARGEST_READING_BYTES: Final = 50_000
_NUMBERS: Final = ("meterValue", "meterTimeInMillis")
_BOM: Final = b"\xef\xbb\xbf"


class BadFile(ValueError):
    """The file cannot be read as usages; the message says what is wrong and what to do."""


class Reading(Struct, rename="camel", forbid_unknown_fields=True):
    """How to read a file.

    ``columns`` gives the column (or JSON member) of a usage's member where its name is another; ``constants`` members
    that are the same in every row; ``ignore`` columns that are no dimensions. All other columns are dimensions.
    """

    name: Annotated[str, Meta(min_length=1, max_length=150)]
    format: Format
    columns: dict[str, str] = {}
    constants: dict[str, Any] = {}
    ignore: list[str] = []


class Layout(Struct, rename="camel"):
    """A file that was looked at: how to read it, its header if it is CSV, and where its rows begin."""

    reading: Reading
    header: list[str]
    rows_begin: int


class Row(NamedTuple):
    """A line that is not empty, and the bytes at which it begins and ends."""

    begin: int
    end: int
    text: bytes


def format_of(file_name: str) -> Format:
    """What a file is by its name. Raises :class:`BadFile`."""
    plain = file_name.lower().removesuffix(".gz")
    if plain.endswith(".csv"):
        return "csv"
    if plain.endswith((".ndjson", ".jsonl")):
        return "ndjson"
    raise BadFile(f"{file_name}: is it csv or ndjson? The name does not tell; say which (format).")


def layout_of(reading: Reading, beginning: Iterable[bytes]) -> Layout:
    """Look at the beginning of a file. Raises :class:`BadFile`."""
    size = len(msgspec.json.encode(reading))
    if size > LARGEST_READING_BYTES:
        raise BadFile(f"How to read the file is told in {size:,} bytes; it may be {LARGEST_READING_BYTES:,}.")
    first = next(rows(beginning, 0), None)
    if first is None:
        raise BadFile("The file is empty.")
    if reading.format == "ndjson":
        return Layout(reading, [], 0)
    if len(first.text) > LONGEST_HEADER_BYTES:
        raise BadFile(
            f"The header has {len(first.text):,} bytes; it may have {LONGEST_HEADER_BYTES:,}. Is it a CSV file?"
        )
    header = _fields(first.text.removeprefix(_BOM)) or []
    _check_header(header, reading)
    return Layout(reading, header, first.end)


def _check_header(header: list[str], reading: Reading) -> None:
    if len(set(header)) < len(header) or not all(header):
        raise BadFile(f"The columns of the header must have names, each another: {', '.join(header)}")
    for column in (*reading.columns.values(), *reading.ignore):
        if column not in header:
            raise BadFile(f"There is no column '{column}'; there are: {', '.join(header)}")
    for member, column in reading.columns.items():
        if member != column and member in header and member not in reading.ignore:
            raise BadFile(f"There is a column '{member}' beside '{column}', which stands for it; ignore one of them.")
    for member in NEEDED:
        if member not in reading.constants and reading.columns.get(member, member) not in header:
            raise BadFile(
                f"There is no column for {member}; name one (map {member}=COLUMN) or a value for all rows "
                f"(set {member}=VALUE). The columns are: {', '.join(header)}"
            )


def rows(data: Iterable[bytes], begin: int) -> Iterator[Row]:
    """The rows of data that begins at a byte of the file. Raises :class:`BadFile` for a line without end."""
    rest = b""
    for piece in data:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            end = begin + len(line) + 1
            if line.strip():
                yield Row(begin, end, line)
            begin = end
        if len(rest) > LONGEST_ROW_BYTES:
            raise BadFile(f"The line at byte {begin:,} does not end within {LONGEST_ROW_BYTES:,} bytes.")
    if rest.strip():
        yield Row(begin, begin + len(rest), rest)


def rows_between(data: Callable[[int], Iterable[bytes]], begin: int, end: int | None) -> Iterator[Row]:
    """The rows that begin in a range of bytes; ``data`` gives the file from a byte on. Raises :class:`BadFile`."""
    # From the byte before, which tells whether a row begins here; if not, the rest of the row is the range before's.
    before = max(begin - 1, 0)
    for row in rows(data(before), before):
        if row.begin < begin:
            continue
        if end is not None and row.begin >= end:
            return
        yield row


def usage_of(row: Row, layout: Layout) -> ReportedUsage:
    """The usage that a row means; one that cannot be read is its text, to be refused and kept."""
    reading = layout.reading
    identity = f"{reading.name}:{row.begin}"
    members = _members(row.text.removeprefix(_BOM) if row.begin == 0 else row.text, layout)
    if members is None:
        return ReportedUsage(identity, "", 0, row.text.decode(errors="backslashreplace"))
    usage = _named(members, reading)
    time = usage.pop(TIME, "")
    return ReportedUsage(identity, time if isinstance(time, str) else "", 0, usage)


def _members(text: bytes, layout: Layout) -> dict[str, Any] | None:
    if layout.reading.format == "csv":
        fields = _fields(text)
        return dict(zip(layout.header, fields, strict=True)) if fields and len(fields) == len(layout.header) else None
    try:
        found = decoded(text.decode())
        msgspec.json.encode(found)
    except (UnicodeError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _named(members: dict[str, Any], reading: Reading) -> dict[str, Any]:
    """Members under the names that a usage has for them."""
    left = {column: value for column, value in members.items() if column not in reading.ignore}
    renamed = {member: left.pop(column) for member, column in reading.columns.items() if column in left}
    usage = left | renamed
    if reading.format == "csv":
        # CSV knows neither numbers nor nothing.
        usage = {member: value for member, value in usage.items() if value}
        usage |= {member: _number(usage[member]) for member in _NUMBERS if member in usage}
    return usage | reading.constants


def _number(text: str) -> Any:
    """A number where the text is one, as JSON writes it."""
    number = decoded(text)
    return number if isinstance(number, int | float) and not isinstance(number, bool) else text


def _fields(line: bytes) -> list[str] | None:
    """The fields of a line of CSV, ``None`` if it is none."""
    try:
        return next(csv.reader([line.decode().rstrip("\r")], strict=True), None)
    except (UnicodeError, csv.Error):
        return None
