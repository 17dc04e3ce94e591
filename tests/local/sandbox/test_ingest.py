import gzip
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.local.sandbox.conftest import KEY, Amberflo, record


def _total(amberflo: Amberflo) -> float:
    return sum(amberflo.sandbox.totals("api-calls").values())


@pytest.mark.parametrize("path", ["/ingest", "/ingest/", "/", "/ingest?schemaDetection=AUTO"])
def test_every_path_that_clients_use_takes_usage_and_answers_with_text(amberflo: Amberflo, path: str) -> None:
    answer = amberflo.call("POST", path, record())
    assert (answer.status_code, answer.text) == (200, "1 records were ingested")
    assert "text/plain" in answer.headers["Content-Type"]
    assert _total(amberflo) == 1


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("form", ["object", "array", "lines"])
def test_a_body_is_an_object_an_array_or_an_object_a_line(amberflo: Amberflo, form: str, *, packed: bool) -> None:
    records = [record(uniqueId=str(number)) for number in range(1 if form == "object" else 3)]
    text = {
        "object": json.dumps(records[0]),
        "array": json.dumps(records),
        "lines": "\n".join(json.dumps(one) for one in records),
    }[form].encode()
    headers = {"X-API-KEY": KEY, "Content-Encoding": "gzip"} if packed else {"X-API-KEY": KEY}
    answer = amberflo.call("POST", "/ingest", data=gzip.compress(text) if packed else text, headers=headers)
    assert answer.text == f"{len(records)} records were ingested"
    assert _total(amberflo) == len(records)


@pytest.mark.parametrize(
    "wrong",
    [
        {"customerId": None},
        {"meterApiName": ""},
        {"meterValue": "1"},
        {"meterValue": True},
        {"meterTimeInMillis": 0},
        {"meterTimeInMillis": 1.5},
        {"dimensions": ["a"]},
        {"dimensions": {"a": {"b": 1}}},
    ],
)
def test_one_wrong_record_refuses_the_whole_body(amberflo: Amberflo, wrong: dict[str, Any]) -> None:
    assert "Invalid request" in amberflo.refusal("POST", "/ingest", [record(), record(**wrong)])
    assert _total(amberflo) == 0


@pytest.mark.parametrize("body", [b"", b"{", b"5", b"[5]"])
def test_what_is_no_record_is_a_400_or_nothing(amberflo: Amberflo, body: bytes) -> None:
    answer = amberflo.call("POST", "/ingest", data=body)
    assert answer.status_code == (200 if body == b"" else 400)
    assert _total(amberflo) == 0


def test_several_meters_in_one_record_count_each(amberflo: Amberflo) -> None:
    given = {key: value for key, value in record().items() if key not in {"meterApiName", "meterValue"}}
    amberflo.ingest({**given, "values": {"api-calls": 2, "other": 3}})
    assert (amberflo.sandbox.totals("api-calls"), amberflo.sandbox.totals("other")) == ({"acme": 2}, {"acme": 3})


def test_a_record_is_a_duplicate_only_if_all_of_it_is_the_same(amberflo: Amberflo) -> None:
    first = record()
    amberflo.ingest(first, first, {**first, "dimensions": {"region": "eu"}})
    assert _total(amberflo) == 1
    others = [
        {"uniqueId": "v"},
        {"meterTimeInMillis": first["meterTimeInMillis"] + 1},
        {"dimensions": {"region": "us"}},
        {"customerId": "globex"},
    ]
    for number, other in enumerate(others, 2):
        amberflo.ingest({**first, **other})
        assert _total(amberflo) == number


@pytest.mark.parametrize(("choice", "total"), [("keep_latest", 5), ("keep_both", 6)])
def test_what_another_value_alone_does_can_be_chosen(
    started: Callable[..., Amberflo], choice: str, total: float
) -> None:
    amberflo = started(same_key_new_value=choice)
    amberflo.ingest(record(meterValue=1))
    amberflo.ingest(record(meterValue=5))
    assert _total(amberflo) == total


def test_dimensions_are_kept_as_text(amberflo: Amberflo) -> None:
    amberflo.create_meter(dimensions=["region"])
    amberflo.ingest(record(dimensions={"region": True}), record(dimensions={"region": 5}, uniqueId="v"))
    groups = amberflo.usage(groupBy=["region"])["clientMeters"]
    assert {group["group"]["groupInfo"]["region"] for group in groups} == {"true", "5"}


def test_unknown_meters_customers_and_members_are_taken(amberflo: Amberflo) -> None:
    amberflo.ingest(record(meterApiName="nobody-made-it", customerId="nobody", more="x"))
    assert amberflo.sandbox.totals("nobody-made-it") == {"nobody": 1}


@pytest.mark.parametrize(
    "odd",
    [
        {"meterTimeInMillis": int((time.time() - 61 * 86_400) * 1000)},
        {"meterTimeInMillis": int((time.time() + 600) * 1000)},
        {"dimensions": {"a": "x" * 201}},
        {"dimensions": {"a": "b/c"}},
    ],
)
def test_odd_records_are_taken_unless_it_is_strict(started: Callable[..., Amberflo], odd: dict[str, Any]) -> None:
    assert started().call("POST", "/ingest", record(**odd)).status_code == 200
    assert started(strict=True).call("POST", "/ingest", record(**odd)).status_code == 400


def test_a_body_over_the_limit_is_a_413(started: Callable[..., Amberflo]) -> None:
    amberflo = started(max_body_bytes=500)
    assert amberflo.call("POST", "/ingest", [record()]).status_code == 200
    assert amberflo.call("POST", "/ingest", [record()] * 5).status_code == 413


def test_usage_shows_after_the_delay_that_was_chosen(started: Callable[..., Amberflo]) -> None:
    amberflo = started(visibility_delay_seconds=0.5)
    amberflo.ingest(record())
    assert _total(amberflo) == 0
    time.sleep(0.6)
    assert _total(amberflo) == 1


def test_what_was_taken_outlives_a_restart(started: Callable[..., Amberflo], tmp_path: Path) -> None:
    from amberflo_workflows.local.sandbox.testing import running_sandbox  # noqa: PLC0415 - ended by hand, unlike others

    with running_sandbox(KEY, tmp_path / "data") as running:
        first = Amberflo(running)
        made = first.create_meter()
        first.ingest(record(), record())
    again = started(tmp_path / "data")
    assert again.json("GET", "/meters") == [made]
    assert _total(again) == 1
