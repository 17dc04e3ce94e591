import json
from pathlib import Path

import pytest

from amberflo_workflows.core.usage_file import InvalidFile
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
        json.dumps({**USAGE, "time": "2023-11-14T22:13:20"}),
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
