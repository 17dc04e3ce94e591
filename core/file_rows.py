"""The rows of a file, with the bytes at which they start.

A row is a line that ends with LF or CRLF; in CSV, a quoted field may extend over several lines.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from amberflo_workflows.core.file_encoding import BOM, InvalidFile
from amberflo_workflows.core.file_options import Format

MAX_ROW_BYTES: Final = 1_000_000
# The usual form of a line whose quotes close on the line; any other is read quote by quote.
_QUOTED: Final = rb'(?:"[^"]*(?:""[^"]*)*"(?=[,\r]|\Z)|[^",]*)'
_HAS_CLOSED_QUOTES: Final = re.compile(rb"%b(?:,%b)*\r?" % (_QUOTED, _QUOTED)).fullmatch


class FileRow(NamedTuple):
    """A row's text without its line end, and the bytes at which the row starts and ends."""

    start: int
    end: int
    text: bytes


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
        if b'"' not in text or not _is_quote_open(remove_bom(first), is_open=False):
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


def remove_bom(row: FileRow) -> bytes:
    """Return the text of a row without the byte order mark that a file may start with."""
    return row.text.removeprefix(BOM) if row.start == 0 else row.text
