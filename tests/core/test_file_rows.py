import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amberflo_workflows.core.file_encoding import InvalidFile
from amberflo_workflows.core.file_options import FileOptions
from amberflo_workflows.core.file_rows import find_range_starts, read_rows, read_rows_between
from amberflo_workflows.core.usage_file import parse_row, read_layout

HEADER = b"tenantId,meterApiName,meterValue,meterTimeInMillis,region\n"


texts = st.lists(st.sampled_from([b"a", b"bb", b"\n", b"\r\n", b" ", b"ccc\n"]), max_size=40).map(b"".join)


@given(texts, st.lists(st.integers(1, 7), max_size=20))
def test_rows_do_not_depend_on_how_the_data_is_split(text: bytes, sizes: list[int]) -> None:
    pieces, start = [], 0
    for size in sizes:
        pieces.append(text[start : start + size])
        start += size
    pieces.append(text[start:])
    rows = list(read_rows(pieces, 0, "ndjson"))
    assert [row.text for row in rows] == [line for line in text.split(b"\n") if line.strip()]
    assert all(text[row.start :].startswith(row.text) for row in rows)
    assert [row.end for row in rows] == [min(row.start + len(row.text) + 1, len(text)) for row in rows]


@given(texts, st.integers(1, 9))
def test_every_row_is_in_exactly_one_range(text: bytes, length: int) -> None:
    def read(start: int) -> list[bytes]:
        return [text[start:]]

    rows = [
        row
        for start in range(0, len(text), length)
        for row in read_rows_between(read, start, min(start + length, len(text)), "ndjson")
    ]
    assert rows == list(read_rows([text], 0, "ndjson"))


fields = st.text(st.sampled_from('a",\r\n \u2028é'), max_size=6)


def _write_csv(table: list[list[str]], line_end: str, quoting: Any) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator=line_end, quoting=quoting).writerows([["first", "second"], *table])
    return text.getvalue().encode()


# Not LF with as few quotes as possible: older versions of ``csv.writer`` leave a CR unquoted then.
tables = st.lists(st.lists(fields, min_size=2, max_size=2), max_size=8)


dialects = st.sampled_from([("\n", csv.QUOTE_ALL), ("\r\n", csv.QUOTE_ALL), ("\r\n", csv.QUOTE_MINIMAL)])


@given(tables, dialects, st.integers(1, 40))
def test_ranges_of_csv_have_each_row_once_and_no_other(
    table: list[list[str]], dialect: tuple[str, int], length: int
) -> None:
    data = _write_csv(table, *dialect)

    def read(start: int) -> list[bytes]:
        return [data[byte : byte + 3] for byte in range(start, len(data), 3)]

    constants = {"tenantId": "t", "meterApiName": "m", "meterValue": 1}
    layout = read_layout(FileOptions("f.csv", "csv", constants=constants), read(0))
    starts = list(find_range_starts(read_rows(read(layout.rows_start), layout.rows_start, "csv"), length))
    rows = [
        row
        for start, end in zip(starts, [*starts, None][1:], strict=True)
        for row in read_rows_between(read, start, end, "csv")
    ]
    assert [parse_row(row, layout).usage for row in rows] == [
        {name: text for name, text in zip(("first", "second"), row, strict=True) if text} | constants for row in table
    ]
    assert rows == list(read_rows(read(layout.rows_start), layout.rows_start, "csv"))


@given(st.lists(st.text(st.sampled_from('a"",\r '), max_size=8), max_size=8))
def test_rows_without_quoted_line_breaks_have_the_bytes_of_their_lines(lines: list[str]) -> None:
    """Also lines that ``csv.writer`` does not write, as long as the quotes of each close on it."""
    lines = [line for line in lines if not _leaves_quote_open(line)]
    data = "".join(f"{line}\n" for line in lines).encode()
    assert list(read_rows([data], 0, "csv")) == list(read_rows([data], 0, "ndjson"))


def _leaves_quote_open(line: str) -> bool:
    return any("\n" in field for field in next(csv.reader([line.replace("\r", "x") + "\n", "x"])))


@pytest.mark.parametrize(
    ("rest", "limit"),
    [(b"globex,m,2,1,eu\n", "before the end of the file"), (b"globex,m,2,1,eu\n" * 70_000, "within 1,000,000 bytes")],
)
def test_a_quote_that_never_closes_is_an_error_with_its_row(rest: bytes, limit: str) -> None:
    rows = read_rows([b'acme,m,1,1,eu\nacme,m,1,1,"us\n', rest], 100, "csv")
    assert next(rows).text == b"acme,m,1,1,eu"
    with pytest.raises(InvalidFile, match=f"row at byte 114 has a quote that does not close {limit}.*: acme"):
        next(rows)


def test_a_range_of_an_earlier_plan_may_start_inside_a_row() -> None:
    text = b'acme,m,1,1,"x, ""y"""\nglobex,m,2,1,eu\n'
    for start in range(1, text.index(b"globex") + 1):
        rows = read_rows_between(lambda byte: [text[byte:]], start, None, "csv")
        assert [row.text for row in rows] == [b"globex,m,2,1,eu"]


def test_only_a_line_feed_ends_a_line() -> None:
    line = '{"a": "one\u2028two\x85\x0c\x1c"}'.encode()
    assert [row.text for row in read_rows([line + b"\r\n" + line], 0, "ndjson")] == [line + b"\r", line]
