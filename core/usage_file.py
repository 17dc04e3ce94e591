"""A file of usages: CSV with a header, or one JSON object per line.

The identity of a row is its text and the byte at which it starts, so that the same rows always have the same identities
and can be sent again without counting twice, under any name, compressed or not, from this machine or from S3.
"""

import csv
import hashlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain, islice, takewhile
from typing import Any, Final

import msgspec
from msgspec import Struct

from amberflo_workflows.core.file_encoding import InvalidFile, check_encoding, describe_invalid_byte
from amberflo_workflows.core.file_members import build_meter_members, build_usage
from amberflo_workflows.core.file_options import (
    METER_MEMBERS,
    FileOptions,
    Format,
    check_first_rows,
    check_header,
    check_options,
)
from amberflo_workflows.core.file_rows import FileRow, read_rows, remove_bom
from amberflo_workflows.core.file_times import take_time
from amberflo_workflows.core.json_text import parse_json
from amberflo_workflows.core.reported_usage import ReportedUsage, truncate_reason

# The header and the options are part of the input of each range's state, of 262,144 bytes.
MAX_HEADER_BYTES: Final = 50_000
# The first rows of NDJSON, against which the options are checked.
_MAX_CHECKED_ROWS: Final = 1_000
_MAX_CHECKED_BYTES: Final = 1_000_000


class FileLayout(Struct, rename={"options": "reading", "rows_start": "rowsBegin"}):
    """How to read a file, its header if it is CSV, and the byte at which its rows start.

    The names in JSON are those that the state data of executions has.
    """

    options: FileOptions
    header: list[str]
    rows_start: int


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
    check_options(options)
    pieces = iter(data)
    head = _read_head(pieces)
    check_encoding(head)
    rows = read_rows(chain([head], pieces), 0, options.format)
    first = next(rows, None)
    if first is None:
        raise InvalidFile("The file is empty.")
    if options.format == "ndjson":
        if options.columns or options.meters or options.only:
            check_first_rows(_parse_first_rows(chain([first], rows)), options)
        return FileLayout(options, [], 0)
    if len(first.text) > MAX_HEADER_BYTES:
        raise InvalidFile(
            f"The header has {len(first.text):,} bytes; the limit is {MAX_HEADER_BYTES:,}. Is it a CSV file?"
        )
    try:
        header = _parse_csv_row(first)
    except _InvalidRow as error:
        raise InvalidFile(f"The header cannot be read: {error}") from None
    check_header(header, options)
    return FileLayout(options, header, first.end)


def _parse_first_rows(rows: Iterator[FileRow]) -> Iterator[dict[str, Any]]:
    """Yield the members of the first rows of NDJSON; those that cannot be parsed are rejected later."""
    for row in takewhile(lambda row: row.start < _MAX_CHECKED_BYTES, islice(rows, _MAX_CHECKED_ROWS)):
        with suppress(_InvalidRow):
            yield _parse_json_members(row)


def _read_head(pieces: Iterator[bytes]) -> bytes:
    """Take pieces until they have a line break, or more bytes than the longest header."""
    head = b""
    while b"\n" not in head and len(head) <= MAX_HEADER_BYTES and (piece := next(pieces, b"")):
        head += piece
    return head


def parse_row(row: FileRow, layout: FileLayout) -> ReportedUsage:
    """Return the usage of a row, or if it cannot be parsed, its text and the reason, so that it is rejected.

    Only the first one, if the options of the file name several meters: :func:`parse_usages`.
    """
    return parse_usages(row, layout)[0]


def parse_usages(row: FileRow, layout: FileLayout) -> list[ReportedUsage]:
    """Return the usages of a row: one, or one for each meter that the options of the file name.

    A row that cannot be parsed is one usage, its text, with the reason, so that it is rejected.
    """
    options = layout.options
    event_id = identify_row(row, options.name)
    try:
        members = _parse_csv_members(row, layout) if options.format == "csv" else _parse_json_members(row)
        usage = build_usage(members, options)
        _check_own_meter(usage, options)
    except _InvalidRow as error:
        text = row.text.decode(errors="backslashreplace")
        return [ReportedUsage(event_id, "", 0, text, reason=truncate_reason(str(error)))]
    time, reason = take_time(usage, options.times)
    if not options.meters:
        return [ReportedUsage(event_id, time, 0, usage, reason=reason)]
    return [
        ReportedUsage(f"{event_id}:{meter['meterApiName']}", time, 0, usage | meter, reason=reason)
        for meter in build_meter_members(members, options)
    ]


def identify_row(row: FileRow, name: str) -> str:
    """Return the identity of a row: its text and position, or its name and position if the rows have a name."""
    # Without the CR, since the last line of a file may get its end later.
    text = row.text.rstrip(b"\r")
    return f"{name or hashlib.sha256(text).hexdigest()[:16]}:{row.start}"


class _InvalidRow(ValueError):
    """A row cannot be parsed; the message says why."""


def _check_own_meter(usage: dict[str, Any], options: FileOptions) -> None:
    for member in METER_MEMBERS if options.meters else ():
        if usage.get(member) is not None:
            raise _InvalidRow(f"it has a {member}, which --meter (meters) sets as well; leave it out with --ignore")


def _parse_csv_members(row: FileRow, layout: FileLayout) -> dict[str, Any]:
    fields = _parse_csv_row(row)
    if len(fields) != len(layout.header):
        raise _InvalidRow(f"the row has {len(fields):,} fields, and the header has {len(layout.header):,}")
    return dict(zip(layout.header, fields, strict=True))


def _parse_json_members(row: FileRow) -> dict[str, Any]:
    try:
        value = parse_json(_decode(row))
        msgspec.json.encode(value)
    except UnicodeError:
        raise _InvalidRow("it contains text that is not valid Unicode") from None
    except RecursionError:
        raise _InvalidRow("it is nested too deeply") from None
    if not isinstance(value, dict):
        raise _InvalidRow("a usage must be an object, not text")
    return value


def _decode(row: FileRow) -> str:
    try:
        return remove_bom(row).decode()
    except UnicodeDecodeError as error:
        raise _InvalidRow(describe_invalid_byte(error)) from None


def _parse_csv_row(row: FileRow) -> list[str]:
    """Return the fields of a row. Raises :class:`_InvalidRow`."""
    text = _decode(row).rstrip("\r")
    try:
        return next(csv.reader([text], strict=True), [])
    except csv.Error as error:
        if "new-line character" in str(error):
            raise _InvalidRow("it has a CR outside quotes; a line must end with LF or CRLF") from None
        raise _InvalidRow(f"it is not valid CSV: {error}") from None
