import json
from pathlib import Path
from typing import Any

import pytest

from amberflo_workflows.core.file_encoding import InvalidFile
from amberflo_workflows.operate.cancellation import read_records, split_into_calls


def _usage(number: int, **fields: Any) -> dict[str, Any]:
    usage = {"tenantId": "acme", "meterApiName": "api-calls", "meterValue": 0.1, "meterTimeInMillis": 1_700_000_000_123}
    return {**usage, "uniqueId": f"usage-{number}", **fields}


def _file(folder: Path, text: str) -> Path:
    path = folder / "usages"
    path.write_text(text)
    return path


USAGES = [_usage(1), _usage(2, dimensions={"region": "eu"})]


@pytest.mark.parametrize(
    ("text", "usages"),
    [
        (json.dumps(USAGES), USAGES),
        (json.dumps({"records": USAGES}, indent=2), USAGES),
        ("\n".join(map(json.dumps, USAGES)), USAGES),
        (json.dumps(USAGES[0], indent=2), USAGES[:1]),
        ("\ufeff" + json.dumps(USAGES), USAGES),
    ],
)
def test_a_file_is_json_or_ndjson(tmp_path: Path, text: str, usages: list[dict[str, Any]]) -> None:
    assert read_records(_file(tmp_path, text)) == usages


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is neither JSON nor NDJSON"),
        ("tenantId,meterApiName\n", "is neither JSON nor NDJSON"),
        ("[" * 100_000, "is neither JSON nor NDJSON"),
        ("[" * 900 + "]" * 900, "usage 1: a usage must be an object, not text"),
        ("[]", "has no usages"),
        ("7", "usage 1: a usage must be an object"),
        (json.dumps(USAGES[0]) + "\n{", "usage 2: a usage must be an object"),
        (json.dumps([USAGES[0], 7]), "usage 2: a usage must be an object"),
        (json.dumps([_usage(1, uniqueId=None)]), "usage 1: uniqueId is missing"),
        (json.dumps([_usage(1, meterTimeInMillis=None)]), "usage 1: there is no time"),
        (json.dumps([_usage(1, meterValue="five")]), "usage 1: meterValue must be a number"),
    ],
)
def test_an_invalid_file_is_rejected_with_the_reason(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InvalidFile, match=message):
        read_records(_file(tmp_path, text))


def test_a_call_has_at_most_100_usages_and_fits_into_a_request_body() -> None:
    usages = [_usage(number) for number in range(250)]
    assert [len(call) for call in split_into_calls(usages)] == [100, 100, 50]
    large = [_usage(number, filling="x" * 90_000) for number in range(5)]
    assert [len(call) for call in split_into_calls(large)] == [2, 2, 1]
    assert [usage for call in split_into_calls(large) for usage in call] == large
