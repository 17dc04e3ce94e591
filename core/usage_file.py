"""A file of usages: CSV with a header, or a JSON object a line. How it is read, and what a row of it means.

A row is a line; it is known by the file's name and the byte at which it begins, so the same file gives the same
identities however it is read, and sending it again is harmless.
"""

import csv
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec
from msgspec import Meta, Struct

from amberflo_workflows.core.json_text import parse_json
from amberflo_workflows.core.reported_usage import ReportedUsage

Format = Literal["csv", "ndjson"]
REQUIRED_MEMBERS: Final = ("tenantId", "meterApiName", "meterValue")
# A member that is no part of a usage but stands in for its time: ISO 8601.
TIME_MEMBER: Final = "time"
MAX_ROW_BYTES: Final = 1_000_000
# Each range is told of them in a state's input, of 262,144 bytes.
MAX_HEADER_BYTES: Final = 50_000
MAX_OPTIONS_BYTES: Final = 50_000
_NUMBERS: Final = ("meterValue", "meterTimeInMillis")
_BOM: Final = b"\xef\xbb\xbf"


class InvalidFile(ValueError):
    """The file cannot be read as usages; the message says what is wrong and what to do."""


class FileOptions(Struct, rename="camel", forbid_unknown_fields=True):
    """How to read a file.

    ``columns`` gives the column (or JSON member) of a usage's member where its name is another; ``constants`` members
    that are the same in every row; ``ignore`` columns that are no dimensions. All other columns are dimensions.
    """

    name: Annotated[str, Meta(min_length=1, max_length=150)]
    format: Format
    columns: dict[str, str] = {}
    constants: dict[str, Any] = {}
    ignore: list[str] = []


class FileLayout(Struct, rename="camel"):
    """A file that was looked at: how to read it, its header if it is CSV, and where its rows begin."""

    reading: FileOptions
    header: list[str]
    rows_begin: int


class FileRow(NamedTuple):
    """A line that is not empty, and the bytes at which it begins and ends."""

    begin: int
    end: int
    text: bytes


def detect_format(file_name: str) -> Format:
    """What a file is by its name. Raises :class:`InvalidFile`."""
    plain = file_name.lower().removesuffix(".gz")
    if plain.endswith(".csv"):
        return "csv"
    if plain.endswith((".ndjson", ".jsonl")):
        return "ndjson"
    raise InvalidFile(f"{file_name}: is it csv or ndjson? The name does not tell; say which (format).")


def read_layout(reading: FileOptions, beginning: Iterable[bytes]) -> FileLayout:
    """Look at the beginning of a file. Raises :class:`InvalidFile`."""
    size = len(msgspec.json.encode(reading))
    if size > MAX_OPTIONS_BYTES:
        raise InvalidFile(f"How to read the file is told in {size:,} bytes; it may be {MAX_OPTIONS_BYTES:,}.")
    first = next(read_rows(beginning, 0), None)
    if first is None:
        raise InvalidFile("The file is empty.")
    if reading.format == "ndjson":
        return FileLayout(reading, [], 0)
    if len(first.text) > MAX_HEADER_BYTES:
        raise InvalidFile(
            f"The header has {len(first.text):,} bytes; it may have {MAX_HEADER_BYTES:,}. Is it a CSV file?"
        )
    header = _fields(first.text.removeprefix(_BOM)) or []
    _check_header(header, reading)
    return FileLayout(reading, header, first.end)


def _check_header(header: list[str], reading: FileOptions) -> None:
    if len(set(header)) < len(header) or not all(header):
        raise InvalidFile(f"The columns of the header must have names, each another: {', '.join(header)}")
    for column in (*reading.columns.values(), *reading.ignore):
        if column not in header:
            raise InvalidFile(f"There is no column '{column}'; there are: {', '.join(header)}")
    for member, column in reading.columns.items():
        if member != column and member in header and member not in reading.ignore:
            raise InvalidFile(f"The columns '{member}' and '{column}' both stand for {member}; ignore one of them.")
    for member in REQUIRED_MEMBERS:
        if member not in reading.constants and reading.columns.get(member, member) not in header:
            raise InvalidFile(
                f"There is no column for {member}; name one (map {member}=COLUMN) or a value for all rows "
                f"(set {member}=VALUE). The columns are: {', '.join(header)}"
            )


def read_rows(data: Iterable[bytes], begin: int) -> Iterator[FileRow]:
    """The rows of data that begins at a byte of the file. Raises :class:`InvalidFile` for a line without end."""
    rest = b""
    for piece in data:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            end = begin + len(line) + 1
            if line.strip():
                yield FileRow(begin, end, line)
            begin = end
        if len(rest) > MAX_ROW_BYTES:
            raise InvalidFile(f"The line at byte {begin:,} does not end within {MAX_ROW_BYTES:,} bytes.")
    if rest.strip():
        yield FileRow(begin, begin + len(rest), rest)


def read_rows_between(data: Callable[[int], Iterable[bytes]], begin: int, end: int | None) -> Iterator[FileRow]:
    """The rows that begin in a range of bytes; ``data`` gives the file from a byte on. Raises :class:`InvalidFile`."""
    # From the byte before, which tells whether a row begins here; if not, the rest of the row is the range before's.
    before = max(begin - 1, 0)
    for row in read_rows(data(before), before):
        if row.begin < begin:
            continue
        if end is not None and row.begin >= end:
            return
        yield row


def parse_row(row: FileRow, layout: FileLayout) -> ReportedUsage:
    """The usage that a row means; one that cannot be read is its text, to be refused and kept."""
    reading = layout.reading
    identity = f"{reading.name}:{row.begin}"
    members = _members(row.text.removeprefix(_BOM) if row.begin == 0 else row.text, layout)
    if members is None:
        return ReportedUsage(identity, "", 0, row.text.decode(errors="backslashreplace"))
    usage = _named(members, reading)
    time = usage.pop(TIME_MEMBER, "")
    return ReportedUsage(identity, time if isinstance(time, str) else "", 0, usage)


def _members(text: bytes, layout: FileLayout) -> dict[str, Any] | None:
    if layout.reading.format == "csv":
        fields = _fields(text)
        return dict(zip(layout.header, fields, strict=True)) if fields and len(fields) == len(layout.header) else None
    try:
        found = parse_json(text.decode())
        msgspec.json.encode(found)
    except (UnicodeError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _named(members: dict[str, Any], reading: FileOptions) -> dict[str, Any]:
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
    number = parse_json(text)
    return number if isinstance(number, int | float) and not isinstance(number, bool) else text


def _fields(line: bytes) -> list[str] | None:
    """The fields of a line of CSV, ``None`` if it is none."""
    try:
        return next(csv.reader([line.decode().rstrip("\r")], strict=True), None)
    except (UnicodeError, csv.Error):
        return None
