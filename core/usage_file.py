"""A file of usages: CSV with a header, or one JSON object per line.

A row is a line that ends with LF or CRLF; in CSV, a quoted field may extend over several lines. Its identity is its
text and the byte at which it starts, so that the same rows always have the same identities and can be sent again
without counting twice, under any name, compressed or not, from this machine or from S3.
"""

import csv
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import chain, islice, takewhile
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct

from amberflo_workflows.core.file_encoding import BOM, InvalidFile, check_encoding, describe_invalid_byte
from amberflo_workflows.core.file_members import build_meter_members, build_usage
from amberflo_workflows.core.file_options import (
    METER_MEMBERS,
    FileOptions,
    Format,
    check_first_rows,
    check_header,
    check_options,
)
from amberflo_workflows.core.file_times import take_time
from amberflo_workflows.core.json_text import parse_json
from amberflo_workflows.core.reported_usage import ReportedUsage, truncate_reason

MAX_ROW_BYTES: Final = 1_000_000
# The header and the options are part of the input of each range's state, of 262,144 bytes.
MAX_HEADER_BYTES: Final = 50_000
# The first rows of NDJSON, against which the options are checked.
_MAX_CHECKED_ROWS: Final = 1_000
_MAX_CHECKED_BYTES: Final = 1_000_000
# The usual form of a line whose quotes close on the line; any other is read quote by quote.
_QUOTED: Final = rb'(?:"[^"]*(?:""[^"]*)*"(?=[,\r]|\Z)|[^",]*)'
_HAS_CLOSED_QUOTES: Final = re.compile(rb"%b(?:,%b)*\r?" % (_QUOTED, _QUOTED)).fullmatch


class FileLayout(Struct, rename={"options": "reading", "rows_start": "rowsBegin"}):
    """How to read a file, its header if it is CSV, and the byte at which its rows start.

    The names in JSON are those that the state data of executions has.
    """

    options: FileOptions
    header: list[str]
    rows_start: int


class FileRow(NamedTuple):
    """A row's text without its line end, and the bytes at which the row starts and ends."""

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


def read_rows(data: Iterable[bytes], start: int, file_format: Format) -> Iterator[FileRow]:
    """Yield the rows of data that starts at a byte of the file, at which a row starts. Empty lines are left out.

    Raises :class:`InvalidFile` if a row is too long or a quote of CSV does not close.
    """
    return _select_rows(_read_lines(data, start), file_format)


def _select_rows(lines: Iterator[FileRow], file_format: Format) -> Iterator[FileRow]:
    rows = _join_quoted_lines(lines) if file_format == "csv" else lines
    return (row for row in rows if row.text.strip())


def _join_quoted_lines(lines: Iterator[FileRow]) -> Iterator[FileRow]:
    """Join the lines over which a quoted field extends. Raises :class:`InvalidFile`."""
    for first in lines:
        start, end, text = first
        if b'"' not in text or not _is_quote_open(_remove_bom(first), is_open=False):
            yield first
            continue
        texts, size, is_open = [text], len(text), True
        while is_open:
            line = next(lines, None)
            size += len(line.text) + 1 if line else 0
            if line is None or size > MAX_ROW_BYTES:
                raise InvalidFile(_describe_open_quote(first, is_end=line is None))
            texts.append(line.text)
            end, is_open = line.end, _is_quote_open(line.text, is_open=True)
        yield FileRow(start, end, b"\n".join(texts))


def _is_quote_open(line: bytes, *, is_open: bool) -> bool:
    """Whether a quoted field extends beyond a line, at whose start one is open or not.

    As in the ``csv`` module, a quote opens a field only at the field's start; elsewhere it is text.
    """
    if not is_open and _HAS_CLOSED_QUOTES(line):
        return False
    position = 0
    if not is_open:
        is_open = line.startswith(b'"')
        position = 1 if is_open else 0
    while True:
        if is_open:
            quote = line.find(b'"', position)
            if quote < 0:
                return True
            is_open = line.startswith(b'"', quote + 1)
            position = quote + 2 if is_open else quote + 1
        else:
            field = line.find(b',"', position)
            if field < 0:
                return False
            is_open, position = True, field + 2


def _describe_open_quote(row: FileRow, *, is_end: bool) -> str:
    where = "before the end of the file" if is_end else f"within {MAX_ROW_BYTES:,} bytes"
    text = row.text[:80].decode(errors="backslashreplace").rstrip("\r")
    return (
        f"The row at byte {row.start:,} has a quote that does not close {where}. Close it. The row starts with: {text}"
    )


def _read_lines(data: Iterable[bytes], start: int) -> Iterator[FileRow]:
    """Yield all lines, also empty ones. Raises :class:`InvalidFile` if a line is too long."""
    rest = b""
    for piece in data:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            end = start + len(line) + 1
            yield FileRow(start, end, line)
            start = end
        if len(rest) > MAX_ROW_BYTES:
            raise InvalidFile(f"The line at byte {start:,} does not end within {MAX_ROW_BYTES:,} bytes.")
    if rest:
        yield FileRow(start, start + len(rest), rest)


def find_range_starts(rows: Iterable[FileRow], length: int) -> Iterator[int]:
    """Yield the bytes at which the ranges start: each at the start of a row, ``length`` bytes or more apart."""
    next_start = 0
    for row in rows:
        if row.start >= next_start:
            yield row.start
            next_start = row.start + length


def read_rows_between(
    read: Callable[[int], Iterable[bytes]], start: int, end: int | None, file_format: Format
) -> Iterator[FileRow]:
    """Yield the rows that start in a range of bytes. ``read`` yields the file from a byte on.

    A range of CSV must start at the start of a row if the file has quoted line breaks: :func:`find_range_starts`.
    Raises :class:`InvalidFile`.
    """
    # From one byte earlier, which is a line break if a row starts here. If not, that row belongs to the previous range.
    previous = max(start - 1, 0)
    lines = _read_lines(read(previous), previous)
    if start:
        next(lines, None)
    for row in _select_rows(lines, file_format):
        if end is not None and row.start >= end:
            return
        yield row


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
    event_id = _identify(row, options.name)
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


def _identify(row: FileRow, name: str) -> str:
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
        return _remove_bom(row).decode()
    except UnicodeDecodeError as error:
        raise _InvalidRow(describe_invalid_byte(error)) from None


def _remove_bom(row: FileRow) -> bytes:
    return row.text.removeprefix(BOM) if row.start == 0 else row.text


def _parse_csv_row(row: FileRow) -> list[str]:
    """Return the fields of a row. Raises :class:`_InvalidRow`."""
    text = _decode(row).rstrip("\r")
    try:
        return next(csv.reader([text], strict=True), [])
    except csv.Error as error:
        if "new-line character" in str(error):
            raise _InvalidRow("it has a CR outside quotes; a line must end with LF or CRLF") from None
        raise _InvalidRow(f"it is not valid CSV: {error}") from None
