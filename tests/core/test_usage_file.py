import json
from typing import Any

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


def _layout(header: bytes = HEADER, **reading: Any) -> FileLayout:
    return read_layout(FileOptions("f.csv", "csv", **reading), [header])


def _usage(line: bytes, layout: FileLayout | None = None) -> Any:
    return parse_row(FileRow(70, 99, line), layout or _layout()).usage


@pytest.mark.parametrize(
    ("name", "kind"), [("a.csv", "csv"), ("A.CSV.gz", "csv"), ("a.ndjson", "ndjson"), ("a.jsonl.gz", "ndjson")]
)
def test_the_name_tells_what_a_file_is(name: str, kind: str) -> None:
    assert detect_format(name) == kind


@pytest.mark.parametrize("name", ["a", "a.json", "a.gz", "csv"])
def test_a_name_that_does_not_tell_is_an_error_that_says_what_to_do(name: str) -> None:
    with pytest.raises(InvalidFile, match="say which"):
        detect_format(name)


def test_a_row_of_csv_is_a_usage_with_numbers_and_dimensions() -> None:
    reported = parse_row(FileRow(70, 99, b'acme,api-calls,2.5,1700000000000,"eu, west"\r'), _layout())
    assert (reported.event_id, reported.index) == ("f.csv:70", 0)
    assert reported.usage == {
        "tenantId": "acme",
        "meterApiName": "api-calls",
        "meterValue": 2.5,
        "meterTimeInMillis": 1_700_000_000_000,
        "region": "eu, west",
    }


def test_an_empty_field_is_no_member() -> None:
    assert _usage(b"acme,api-calls,2,,") == {"tenantId": "acme", "meterApiName": "api-calls", "meterValue": 2}


def test_columns_may_have_other_names_be_left_out_or_be_the_same_in_all_rows() -> None:
    layout = _layout(
        b"customer,tokens,at,internal,model\n",
        columns={"tenantId": "customer", "meterValue": "tokens", "time": "at"},
        constants={"meterApiName": "tokens"},
        ignore=["internal"],
    )
    reported = parse_row(FileRow(70, 99, b"acme,7,2026-11-24T10:00:00Z,x,small"), layout)
    assert reported.event_time == "2026-11-24T10:00:00Z"
    assert reported.usage == {"tenantId": "acme", "meterApiName": "tokens", "meterValue": 7, "model": "small"}


def test_a_json_object_is_a_usage_under_the_names_that_it_is_read_by() -> None:
    layout = read_layout(FileOptions("f.jsonl", "ndjson", columns={"tenantId": "customer"}), [b"{}\n"])
    line = json.dumps({"customer": "acme", "meterApiName": "m", "meterValue": 2, "time": "2026-11-24", "n": {"a": 1}})
    reported = parse_row(FileRow(3, 9, line.encode()), layout)
    assert reported.event_time == "2026-11-24"
    assert reported.usage == {"tenantId": "acme", "meterApiName": "m", "meterValue": 2, "n": {"a": 1}}


@pytest.mark.parametrize("value", ["five", "1e999", "0x10", "1,5", "NaN", "true"])
def test_what_is_no_number_stays_text_for_the_workflow_to_refuse(value: str) -> None:
    assert _usage(f'acme,api-calls,"{value}",1,eu'.encode())["meterValue"] == value


@pytest.mark.parametrize("line", [b"acme,api-calls", b"a,b,1,1,eu,more", b'acme,"api,1,1,eu', b"acme,\xff,1,1,eu"])
def test_a_line_that_cannot_be_read_is_its_text(line: bytes) -> None:
    assert _usage(line) == line.decode(errors="backslashreplace")


@pytest.mark.parametrize("line", [b"{", b"[1]", b"5", b'"text"', b"\xff", b'{"a": "\\ud800"}', b"[" * 5_000])
def test_a_line_that_is_no_json_object_is_its_text(line: bytes) -> None:
    layout = FileLayout(FileOptions("f.jsonl", "ndjson"), [], 0)
    assert _usage(line, layout) == line.decode(errors="backslashreplace")


@pytest.mark.parametrize(
    ("header", "reading", "message"),
    [
        (b"", {}, "The file is empty"),
        (b"tenantId,tenantId\n", {}, "must have names, each another"),
        (b"tenantId,,meterValue\n", {}, "must have names, each another"),
        (b"customer,meterApiName,meterValue\n", {}, "There is no column for tenantId; name one"),
        (HEADER, {"columns": {"tenantId": "customer"}}, "There is no column 'customer'; there are: tenantId"),
        (HEADER, {"ignore": ["internal"]}, "There is no column 'internal'"),
        (HEADER, {"columns": {"tenantId": "region"}}, "There is a column 'tenantId' beside 'region'"),
        (b"x" * (MAX_ROW_BYTES + 1), {}, "does not end within"),
    ],
)
def test_a_file_that_is_none_says_what_to_do(header: bytes, reading: Any, message: str) -> None:
    with pytest.raises(InvalidFile, match=message):
        _layout(header, **reading)


def test_a_byte_order_mark_is_no_part_of_the_first_column() -> None:
    assert _layout(b"\xef\xbb\xbf" + HEADER).header[0] == "tenantId"
    layout = read_layout(FileOptions("f.jsonl", "ndjson"), [b'\xef\xbb\xbf{"a": 1}\n'])
    assert parse_row(FileRow(0, 12, b'\xef\xbb\xbf{"a": 1}'), layout).usage == {"a": 1}


texts = st.lists(st.sampled_from([b"a", b"bb", b"\n", b"\r\n", b" ", b"ccc\n"]), max_size=40).map(b"".join)


@given(texts, st.lists(st.integers(1, 7), max_size=20))
def test_rows_are_the_same_however_the_data_comes(text: bytes, sizes: list[int]) -> None:
    pieces, at = [], 0
    for size in sizes:
        pieces.append(text[at : at + size])
        at += size
    pieces.append(text[at:])
    found = list(read_rows(pieces, 0))
    assert [row.text for row in found] == [line for line in text.split(b"\n") if line.strip()]
    assert all(text[row.begin :].startswith(row.text) for row in found)
    assert [row.end for row in found] == [min(row.begin + len(row.text) + 1, len(text)) for row in found]


@given(texts, st.integers(1, 9))
def test_ranges_together_hold_each_row_once(text: bytes, length: int) -> None:
    def data(begin: int) -> list[bytes]:
        return [text[begin:]]

    apart = [
        row
        for begin in range(0, len(text), length)
        for row in read_rows_between(data, begin, min(begin + length, len(text)))
    ]
    assert apart == list(read_rows([text], 0))
