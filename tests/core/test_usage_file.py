import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amberflo_workflows.core.usage_file import (
    MAX_ROW_BYTES,
    FileLayout,
    FileOptions,
    FileRow,
    InvalidFile,
    detect_format,
    parse_row,
    read_layout,
    read_rows,
    read_rows_between,
)

HEADER = b"tenantId,meterApiName,meterValue,meterTimeInMillis,region\n"


def _layout(header: bytes = HEADER, **options: Any) -> FileLayout:
    return read_layout(FileOptions("f.csv", "csv", **options), [header])


def _usage(line: bytes, layout: FileLayout | None = None) -> Any:
    return parse_row(FileRow(70, 99, line), layout or _layout()).usage


@pytest.mark.parametrize(
    ("name", "file_format"), [("a.csv", "csv"), ("A.CSV.gz", "csv"), ("a.ndjson", "ndjson"), ("a.jsonl.gz", "ndjson")]
)
def test_the_format_is_detected_by_the_file_name(name: str, file_format: str) -> None:
    assert detect_format(name) == file_format


@pytest.mark.parametrize("name", ["a", "a.json", "a.gz", "csv"])
def test_a_name_without_a_known_format_is_an_error(name: str) -> None:
    with pytest.raises(InvalidFile, match="Set the format"):
        detect_format(name)


def test_a_csv_row_becomes_a_usage_with_numbers_and_dimensions() -> None:
    reported = parse_row(FileRow(70, 99, b'acme,api-calls,2.5,1700000000000,"eu, west"\r'), _layout())
    assert (reported.event_id, reported.index) == ("f.csv:70", 0)
    assert reported.usage == {
        "tenantId": "acme",
        "meterApiName": "api-calls",
        "meterValue": 2.5,
        "meterTimeInMillis": 1_700_000_000_000,
        "region": "eu, west",
    }


def test_an_empty_field_is_an_absent_member() -> None:
    assert _usage(b"acme,api-calls,2,,") == {"tenantId": "acme", "meterApiName": "api-calls", "meterValue": 2}


def test_columns_are_mapped_ignored_and_replaced_by_constants() -> None:
    layout = _layout(
        b"customer,tokens,at,internal,model\n",
        columns={"tenantId": "customer", "meterValue": "tokens", "time": "at"},
        constants={"meterApiName": "tokens"},
        ignore=["internal"],
    )
    reported = parse_row(FileRow(70, 99, b"acme,7,2026-11-24T10:00:00Z,x,small"), layout)
    assert reported.event_time == "2026-11-24T10:00:00Z"
    assert reported.usage == {"tenantId": "acme", "meterApiName": "tokens", "meterValue": 7, "model": "small"}


def test_members_of_a_json_object_are_mapped() -> None:
    layout = read_layout(FileOptions("f.jsonl", "ndjson", columns={"tenantId": "customer"}), [b"{}\n"])
    line = json.dumps({"customer": "acme", "meterApiName": "m", "meterValue": 2, "time": "2026-11-24", "n": {"a": 1}})
    reported = parse_row(FileRow(3, 9, line.encode()), layout)
    assert reported.event_time == "2026-11-24"
    assert reported.usage == {"tenantId": "acme", "meterApiName": "m", "meterValue": 2, "n": {"a": 1}}


@pytest.mark.parametrize("value", ["five", "1e999", "0x10", "1,5", "NaN", "true"])
def test_a_value_that_is_not_a_number_stays_text(value: str) -> None:
    assert _usage(f'acme,api-calls,"{value}",1,eu'.encode())["meterValue"] == value


@pytest.mark.parametrize("line", [b"acme,api-calls", b"a,b,1,1,eu,more", b'acme,"api,1,1,eu', b"acme,\xff,1,1,eu"])
def test_an_invalid_csv_row_becomes_its_text(line: bytes) -> None:
    assert _usage(line) == line.decode(errors="backslashreplace")


@pytest.mark.parametrize("line", [b"{", b"[1]", b"5", b'"text"', b"\xff", b'{"a": "\\ud800"}', b"[" * 5_000])
def test_a_line_that_is_not_a_json_object_becomes_its_text(line: bytes) -> None:
    layout = FileLayout(FileOptions("f.jsonl", "ndjson"), [], 0)
    assert _usage(line, layout) == line.decode(errors="backslashreplace")


@pytest.mark.parametrize(
    ("header", "options", "message"),
    [
        (b"", {}, "The file is empty"),
        (b"tenantId,tenantId\n", {}, "must have a different name"),
        (b"tenantId,,meterValue\n", {}, "must have a different name"),
        (
            b"customer,meterApiName,meterValue\n",
            {},
            "The file has no column for tenantId. Map one with --map tenantId=COLUMN",
        ),
        (HEADER, {"columns": {"tenantId": "customer"}}, "The file has no column 'customer'. The columns are: tenantId"),
        (HEADER, {"ignore": ["internal"]}, "The file has no column 'internal'"),
        (HEADER, {"columns": {"tenantId": "region"}}, "The columns 'tenantId' and 'region' are both for tenantId"),
        (b"x" * (MAX_ROW_BYTES + 1), {}, "does not end within"),
    ],
)
def test_an_unusable_header_is_an_error(header: bytes, options: Any, message: str) -> None:
    with pytest.raises(InvalidFile, match=message):
        _layout(header, **options)


def test_a_layout_has_the_names_of_existing_state_data() -> None:
    layout = _layout()
    assert msgspec.to_builtins(layout).keys() == {"reading", "header", "rowsBegin"}
    assert msgspec.convert(msgspec.to_builtins(layout), FileLayout) == layout


def test_a_byte_order_mark_is_skipped() -> None:
    assert _layout(b"\xef\xbb\xbf" + HEADER).header[0] == "tenantId"
    layout = read_layout(FileOptions("f.jsonl", "ndjson"), [b'\xef\xbb\xbf{"a": 1}\n'])
    assert parse_row(FileRow(0, 12, b'\xef\xbb\xbf{"a": 1}'), layout).usage == {"a": 1}


texts = st.lists(st.sampled_from([b"a", b"bb", b"\n", b"\r\n", b" ", b"ccc\n"]), max_size=40).map(b"".join)


@given(texts, st.lists(st.integers(1, 7), max_size=20))
def test_rows_do_not_depend_on_how_the_data_is_split(text: bytes, sizes: list[int]) -> None:
    pieces, start = [], 0
    for size in sizes:
        pieces.append(text[start : start + size])
        start += size
    pieces.append(text[start:])
    rows = list(read_rows(pieces, 0))
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
        for row in read_rows_between(read, start, min(start + length, len(text)))
    ]
    assert rows == list(read_rows([text], 0))
