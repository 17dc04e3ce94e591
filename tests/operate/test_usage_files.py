import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from amberflo_workflows.core.file_encoding import InvalidFile
from amberflo_workflows.operate.cancellation import read_records
from amberflo_workflows.operate.usage_files import compute_totals, read_usage_list, read_usages

USAGE = {"tenantId": "t1", "meterApiName": "calls", "meterValue": 2, "region": "eu"}


def _file(folder: Path, text: str) -> Path:
    path = folder / "usages"
    path.write_text(text)
    return path


def test_csv_rows_have_numbers_and_dimensions(tmp_path: Path) -> None:
    header = "tenantId,meterApiName,meterValue,meterTimeInMillis,region"
    first, second = read_usage_list(_file(tmp_path, f"{header}\nt1,calls,2.5,1700000000000,eu\nt2,calls,1,,\n"))
    assert first == {**USAGE, "meterValue": 2.5, "meterTimeInMillis": 1_700_000_000_000}
    assert second == {"tenantId": "t2", "meterApiName": "calls", "meterValue": 1}


def test_json_lines_are_usages_as_they_are(tmp_path: Path) -> None:
    assert read_usage_list(_file(tmp_path, f"\ufeff{json.dumps(USAGE)}\n\n{json.dumps(USAGE)}\n")) == [USAGE, USAGE]


@pytest.mark.parametrize(
    "text",
    [
        "tenantId,meterApiName,meterValue,region,time\nt1,calls,2,eu,2023-11-14T22:13:20Z\n",
        "tenantId,meterApiName,meterValue,region,time\nt1,calls,2,eu,1700000000.0009\n",
        json.dumps({**USAGE, "time": "2023-11-14T22:13:20"}),
        json.dumps({**USAGE, "time": 1_700_000_000}),
        json.dumps({**USAGE, "time": 1_700_000_000_000_999}),
    ],
)
def test_the_time_of_a_row_becomes_epoch_milliseconds(tmp_path: Path, text: str) -> None:
    assert read_usage_list(_file(tmp_path, text)) == [{**USAGE, "meterTimeInMillis": 1_700_000_000_000}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The file is empty"),
        ("tenantId,meterApiName,meterValue\n", "has no usages"),
        ("tenantId,meterApiName\nt1,calls\n", "no column for meterValue"),
        ("tenantId,meterApiName,meterValue\nt1,calls,1\nt1,calls,many\n", "usage 2: meterValue must be a number"),
        ('{"tenantId": "t1"}\n', "usage 1: meterApiName is missing"),
        (json.dumps(USAGE) + '\n{"tenantId"\n', "usage 2: a usage must be an object"),
        (json.dumps({**USAGE, "time": "yesterday"}), "usage 1: there is no time"),
    ],
)
def test_an_invalid_file_is_rejected_with_the_reason(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InvalidFile, match=message):
        read_usage_list(_file(tmp_path, text))


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf", b" "])
def test_the_first_byte_decides_the_format(start: bytes) -> None:
    assert [reported.usage for reported in read_usages([start + json.dumps(USAGE).encode()], "piped", None)] == [USAGE]


def test_equal_usages_with_a_unique_id_count_once() -> None:
    with_id = {"tenantId": "t", "meterApiName": "m", "meterValue": 2, "uniqueId": "u"}
    without_id = {"tenantId": "t", "meterApiName": "m", "meterValue": 3}
    null_id = {**without_id, "uniqueId": None}
    assert compute_totals([with_id, with_id]) == {("m", "t"): 2}
    assert compute_totals([without_id, without_id, null_id, null_id]) == {("m", "t"): 12}


def _damage(data: bytes) -> bytes:
    return data[:12] + b"\xff" * 20 + data[32:]


@pytest.mark.parametrize("read", [read_usage_list, read_records])
@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("usages.gz", _damage(gzip.compress(json.dumps(USAGE).encode() * 9)), "usages.gz is not a complete gzip file"),
        ("usages", json.dumps(USAGE).encode("utf-16-le"), "looks like UTF-16 or UTF-32. Save it as UTF-8"),
        ("usages", json.dumps(USAGE).encode("utf-16")[:-1], "usages is not complete UTF-16"),
        ("usages", b'{"tenantId": "caf\xe9"}\n', "byte 0xe9 is not UTF-8; save the file as UTF-8"),
    ],
    ids=["damaged", "utf-16 without a BOM", "cut utf-16", "cp1252"],
)
def test_an_odd_file_is_one_sentence(tmp_path: Path, read: Any, name: str, data: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(InvalidFile, match=message) as error:
        read(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("read", [read_usage_list, read_records])
def test_only_a_line_feed_ends_a_line_of_json(tmp_path: Path, read: Any) -> None:
    usage = {**USAGE, "region": "eu\u2028west\x85", "uniqueId": "u", "meterTimeInMillis": 1_700_000_000_000}
    line = json.dumps(usage, ensure_ascii=False)
    assert read(_file(tmp_path, f"{line}\n{line}\n")) == [usage, usage]


@pytest.mark.parametrize("read", [read_usage_list, read_records])
@pytest.mark.parametrize("name", ["usages", "usages.ndjson", "usages.gz"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gzip", "gzip of utf-16"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_the_content_decides_how_a_file_is_read(
    tmp_path: Path, read: Any, *, name: str, encoding: str, line_end: str
) -> None:
    usage = {**USAGE, "region": "é한", "uniqueId": "u", "meterTimeInMillis": 1_700_000_000_000}
    text = line_end.join([json.dumps(usage, ensure_ascii=False)] * 3)
    data = text.encode(encoding.removeprefix("gzip of ") if encoding != "gzip" else "utf-8")
    path = tmp_path / name
    path.write_bytes(gzip.compress(data) if encoding.startswith("gzip") else data)
    assert read(path) == [usage] * 3


def test_free_text_of_a_tenant_is_never_a_usage(tmp_path: Path) -> None:
    text = 'tenantId,meterApiName,meterValue,note\nacme,m,1,"hello\nbolt,m,5000,x\nbye"\n'
    usages = read_usage_list(_file(tmp_path, text))
    assert [(usage["tenantId"], usage["meterValue"]) for usage in usages] == [("acme", 1)]
