"""A file of usages: CSV with a header, or one JSON object per line.

A row is a line. Its identity is the file's name and the byte at which the row starts, so that the same file always
gives the same identities and can be sent again without counting twice.
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
# Not a member of a usage: the time (ISO 8601) that applies if the usage has none of its own.
TIME_MEMBER: Final = "time"
MAX_ROW_BYTES: Final = 1_000_000
# The header and the options are part of the input of each range's state, of 262,144 bytes.
MAX_HEADER_BYTES: Final = 50_000
MAX_OPTIONS_BYTES: Final = 50_000
_NUMBER_MEMBERS: Final = ("meterValue", "meterTimeInMillis")
_BOM: Final = b"\xef\xbb\xbf"


class InvalidFile(ValueError):
    """The file cannot be read as usages; the message says what is wrong and what to do."""


class FileOptions(Struct, rename="camel", forbid_unknown_fields=True):
    """How to read a file.

    ``columns`` has the column (or JSON member) of each member of a usage that has another name in the file,
    ``constants`` the members that are the same in every row, and ``ignore`` the columns to leave out. All other columns
    are dimensions.
    """

    name: Annotated[str, Meta(min_length=1, max_length=150)]
    format: Format
    columns: dict[str, str] = {}
    constants: dict[str, Any] = {}
    ignore: list[str] = []


class FileLayout(Struct, rename={"options": "reading", "rows_start": "rowsBegin"}):
    """How to read a file, its header if it is CSV, and the byte at which its rows start.

    The names in JSON are those that the state data of executions has.
    """

    options: FileOptions
    header: list[str]
    rows_start: int


class FileRow(NamedTuple):
    """A line that is not empty, and the bytes at which it starts and ends."""

    start: int
    end: int
    text: bytes


def detect_format(file_name: str) -> Format:
    """Return the format by the file's name. Raises :class:`InvalidFile`."""
    name = file_name.lower().removesuffix(".gz")
    if name.endswith(".csv"):
        return "csv"
    if name.endswith((".ndjson", ".jsonl")):
        return "ndjson"
    raise InvalidFile(f"The name {file_name} does not show the format. Set the format: csv or ndjson.")


def read_layout(options: FileOptions, data: Iterable[bytes]) -> FileLayout:
    """Return the layout of a file, from its first bytes. Raises :class:`InvalidFile`."""
    size = len(msgspec.json.encode(options))
    if size > MAX_OPTIONS_BYTES:
        raise InvalidFile(f"The options have {size:,} bytes; the limit is {MAX_OPTIONS_BYTES:,}.")
    first = next(read_rows(data, 0), None)
    if first is None:
        raise InvalidFile("The file is empty.")
    if options.format == "ndjson":
        return FileLayout(options, [], 0)
    if len(first.text) > MAX_HEADER_BYTES:
        raise InvalidFile(
            f"The header has {len(first.text):,} bytes; the limit is {MAX_HEADER_BYTES:,}. Is it a CSV file?"
        )
    header = _parse_csv_line(first.text.removeprefix(_BOM)) or []
    _check_header(header, options)
    return FileLayout(options, header, first.end)


def _check_header(header: list[str], options: FileOptions) -> None:
    if len(set(header)) < len(header) or not all(header):
        raise InvalidFile(f"Each column of the header must have a different name. The columns are: {', '.join(header)}")
    for column in (*options.columns.values(), *options.ignore):
        if column not in header:
            raise InvalidFile(f"The file has no column '{column}'. The columns are: {', '.join(header)}")
    for member, column in options.columns.items():
        if member != column and member in header and member not in options.ignore:
            raise InvalidFile(f"The columns '{member}' and '{column}' are both for {member}. Ignore one of them.")
    for member in REQUIRED_MEMBERS:
        if member not in options.constants and options.columns.get(member, member) not in header:
            raise InvalidFile(
                f"The file has no column for {member}. Map one with --map {member}=COLUMN (columns) or set a constant "
                f"with --set {member}=VALUE (constants). The columns are: {', '.join(header)}"
            )


def read_rows(data: Iterable[bytes], start: int) -> Iterator[FileRow]:
    """Yield the rows of data that starts at a byte of the file. Raises :class:`InvalidFile` if a row is too long."""
    rest = b""
    for piece in data:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            end = start + len(line) + 1
            if line.strip():
                yield FileRow(start, end, line)
            start = end
        if len(rest) > MAX_ROW_BYTES:
            raise InvalidFile(f"The line at byte {start:,} does not end within {MAX_ROW_BYTES:,} bytes.")
    if rest.strip():
        yield FileRow(start, start + len(rest), rest)


def read_rows_between(read: Callable[[int], Iterable[bytes]], start: int, end: int | None) -> Iterator[FileRow]:
    """Yield the rows that start in a range of bytes. ``read`` yields the file from a byte on.

    Raises :class:`InvalidFile`.
    """
    # From one byte earlier, which is a line break if a row starts here. If not, that row belongs to the previous range.
    previous = max(start - 1, 0)
    for row in read_rows(read(previous), previous):
        if row.start < start:
            continue
        if end is not None and row.start >= end:
            return
        yield row


def parse_row(row: FileRow, layout: FileLayout) -> ReportedUsage:
    """Return the usage of a row, or the row's text as the usage if it cannot be parsed, so that it is rejected."""
    options = layout.options
    event_id = f"{options.name}:{row.start}"
    members = _parse_members(row.text.removeprefix(_BOM) if row.start == 0 else row.text, layout)
    if members is None:
        return ReportedUsage(event_id, "", 0, row.text.decode(errors="backslashreplace"))
    usage = _apply_options(members, options)
    time = usage.pop(TIME_MEMBER, "")
    return ReportedUsage(event_id, time if isinstance(time, str) else "", 0, usage)


def _parse_members(text: bytes, layout: FileLayout) -> dict[str, Any] | None:
    if layout.options.format == "csv":
        fields = _parse_csv_line(text)
        return dict(zip(layout.header, fields, strict=True)) if fields and len(fields) == len(layout.header) else None
    try:
        value = parse_json(text.decode())
        msgspec.json.encode(value)
    except (UnicodeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _apply_options(members: dict[str, Any], options: FileOptions) -> dict[str, Any]:
    """Return a row's members under the names of a usage's members."""
    rest = {column: value for column, value in members.items() if column not in options.ignore}
    mapped = {member: rest.pop(column) for member, column in options.columns.items() if column in rest}
    usage = rest | mapped
    if options.format == "csv":
        # CSV has text only: an empty field is an absent member, and numbers have to be parsed.
        usage = {member: value for member, value in usage.items() if value}
        usage |= {member: _parse_number(usage[member]) for member in _NUMBER_MEMBERS if member in usage}
    return usage | options.constants


def _parse_number(text: str) -> Any:
    """Return the number if the text is one in JSON, else the text."""
    number = parse_json(text)
    return number if isinstance(number, int | float) and not isinstance(number, bool) else text


def _parse_csv_line(line: bytes) -> list[str] | None:
    """Return the fields of a line of CSV, or ``None`` if it is invalid."""
    try:
        return next(csv.reader([line.decode().rstrip("\r")], strict=True), None)
    except (UnicodeError, csv.Error):
        return None
