import json
from typing import Any

import msgspec
import pytest

from amberflo_workflows.core.file_encoding import InvalidFile
from amberflo_workflows.core.file_options import FileOptions
from amberflo_workflows.core.file_rows import MAX_ROW_BYTES, FileRow, read_rows
from amberflo_workflows.core.usage_file import FileLayout, detect_format, parse_row, read_layout

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
        (b"tenantId,,meterValue\n", {}, "Column 2 of 3 has no name"),
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


def test_free_text_of_a_tenant_is_never_a_row() -> None:
    text = b'acme,api-calls,1,1,"hello\r\nbolt,m,5000,1,x\r\n""bye"""\r\nacme,api-calls,2,1,say "hi\r\n'
    first, second = [parse_row(row, _layout()) for row in read_rows([text], 0, "csv")]
    assert first.usage["region"] == 'hello\r\nbolt,m,5000,1,x\r\n"bye"'
    assert (second.event_id, second.usage["region"]) == (f"f.csv:{text.index(b'acme', 1)}", 'say "hi')


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"acme,api-calls", "the row has 2 fields, and the header has 5"),
        (b"a,b,1,1,eu,more", "the row has 6 fields, and the header has 5"),
        (b"acme,caf\xe9,1,1,eu", "the byte 0xe9 is not UTF-8; save the file as UTF-8"),
        (b"acme,m,1,1,eu\racme,m,1,1,eu", "it has a CR outside quotes; a line must end with LF or CRLF"),
        (b'acme,"m"x,1,1,eu', "it is not valid CSV: ',' expected after '\"'"),
    ],
)
def test_a_row_that_cannot_be_parsed_has_the_reason(line: bytes, reason: str) -> None:
    assert parse_row(FileRow(70, 99, line), _layout()).reason == reason


@pytest.mark.parametrize("file_format", ["csv", "ndjson"])
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (HEADER.decode().encode("utf-16-le"), "looks like UTF-16 or UTF-32. Save it as UTF-8"),
        (HEADER.decode().encode("utf-16-be"), "looks like UTF-16 or UTF-32. Save it as UTF-8"),
        (HEADER.decode().encode("utf-32-be"), "looks like UTF-16 or UTF-32. Save it as UTF-8"),
    ],
)
def test_a_file_in_another_encoding_is_an_error(file_format: Any, data: bytes, message: str) -> None:
    pieces = [data[:40], data[40:]]
    with pytest.raises(InvalidFile, match=message):
        read_layout(FileOptions("f", file_format), pieces)


def test_a_name_is_shorter_if_the_meter_is_part_of_the_identity() -> None:
    options = FileOptions("n" * 101, "csv", meters={"m": "region"})
    with pytest.raises(InvalidFile, match="The name has 101 characters; it must have at most 100"):
        read_layout(options, [HEADER])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("n" * 151, "The name has 151 characters; it must have at most 150"),
        ("caf\udce9.csv", "has bytes that are not UTF-8. Set it in UTF-8"),
    ],
)
def test_a_name_that_cannot_identify_rows_is_an_error(name: str, message: str) -> None:
    with pytest.raises(InvalidFile, match=message):
        read_layout(FileOptions(name, "csv"), [HEADER])


def test_a_row_is_identified_by_its_text_and_position_or_by_a_name_and_the_position() -> None:
    def identify(data: bytes, name: str = "") -> list[str]:
        layout = read_layout(FileOptions(name, "csv"), [data])
        rows = read_rows([data[layout.rows_start :]], layout.rows_start, "csv")
        return [parse_row(row, layout).event_id for row in rows]

    first, second = b"acme,m,1,1700000000000,eu\n", b"acme,m,2,1700000000000,eu\n"
    ids = identify(HEADER + first + first + second)
    assert len(set(ids)) == 3
    # Appended rows change nothing; another row at the same place and the same row at another place are other usages.
    assert identify(HEADER + first + first + second + first)[:3] == ids
    assert set(identify(HEADER + second + first)) & set(ids) == {ids[1]}
    assert identify(HEADER + first, "usage.csv") == [f"usage.csv:{len(HEADER)}"]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (b",tenantId,meterApiName,meterValue\n", r"Column 1 of 4 has no name, so --ignore cannot .*index=False"),
        (b"tenantId,caf\xe9\n", "header cannot be read: the byte 0xe9 is not UTF-8; save the file as UTF-8"),
        (b'tenantId,"meterValue\n', "row at byte 0 has a quote that does not close before the end"),
    ],
)
def test_a_header_that_cannot_be_read_is_an_error(header: bytes, message: str) -> None:
    with pytest.raises(InvalidFile, match=message):
        _layout(header)
