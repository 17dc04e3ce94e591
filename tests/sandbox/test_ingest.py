import gzip
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from amberflo_workflows.sandbox.settings import SandboxSettings
from amberflo_workflows.sandbox.testing import running_sandbox
from tests.sandbox.conftest import KEY, Amberflo, record


@pytest.fixture(scope="module")
def strict() -> Iterator[Amberflo]:
    with running_sandbox(KEY, settings=SandboxSettings(strict=True)) as running:
        yield Amberflo(running)


def _total(amberflo: Amberflo) -> float:
    return sum(amberflo.sandbox.totals("api-calls").values())


@pytest.mark.parametrize("path", ["/ingest", "/ingest/", "/", "/ingest?schemaDetection=AUTO"])
def test_every_path_that_clients_use_takes_usage_and_answers_with_text(amberflo: Amberflo, path: str) -> None:
    answer = amberflo.call("POST", path, record())
    assert (answer.status_code, answer.text) == (200, "1 records were ingested")
    assert "text/plain" in answer.headers["Content-Type"]
    assert _total(amberflo) == 1


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("form", ["object", "object over lines", "array", "array over lines", "lines"])
def test_a_body_is_an_object_an_array_or_an_object_a_line(amberflo: Amberflo, form: str, *, packed: bool) -> None:
    records = [record(uniqueId=str(number)) for number in range(1 if "object" in form else 3)]
    text = {
        "object": json.dumps(records[0]),
        "object over lines": json.dumps(records[0], indent=2),
        "array": json.dumps(records),
        "array over lines": json.dumps(records, indent=2),
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
        # Past 64 bits, in which the database keeps times: it would fail when it is read, and all that came with it.
        {"meterTimeInMillis": 2**63},
        {"meterValue": 10**400},
        {"dimensions": ["a"]},
        {"dimensions": {"a": {"b": 1}}},
    ],
)
def test_one_wrong_record_refuses_the_whole_body(amberflo: Amberflo, wrong: dict[str, Any]) -> None:
    assert "Invalid request" in amberflo.refusal("POST", "/ingest", [record(), record(**wrong)])
    assert _total(amberflo) == 0


@pytest.mark.parametrize("body", [b"", b"{", b"5", b"[5]", b"[[]]", b'{"customerId": "\xff"}'])
def test_what_is_no_record_is_a_400_or_nothing(amberflo: Amberflo, body: bytes) -> None:
    answer = amberflo.call("POST", "/ingest", data=body)
    assert answer.status_code == (200 if body == b"" else 400)
    assert _total(amberflo) == 0


@pytest.mark.parametrize("body", [b"{}", gzip.compress(b"{}")[:-9], gzip.compress(b"{}")[:10] + b"\xff" * 20])
def test_what_is_no_gzip_is_a_400(amberflo: Amberflo, body: bytes) -> None:
    answer = amberflo.call("POST", "/ingest", data=body, headers={"Content-Encoding": "gzip"})
    assert (answer.status_code, "Invalid request" in answer.json()["errorMessage"]) == (400, True)


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


def test_order_and_notation_do_not_make_another_record(amberflo: Amberflo) -> None:
    amberflo.ingest(record(dimensions={"a": "1", "b": "true"}), record(dimensions={"b": True, "a": 1}, meterValue=1.0))
    assert _total(amberflo) == 1


def test_without_a_unique_id_the_rest_has_to_differ(amberflo: Amberflo) -> None:
    nameless = {key: value for key, value in record().items() if key != "uniqueId"}
    amberflo.ingest(nameless, nameless, {**nameless, "dimensions": {"region": "us"}})
    assert _total(amberflo) == 2


def test_dimensions_are_kept_as_text(amberflo: Amberflo) -> None:
    amberflo.create_meter(dimensions=["region"])
    amberflo.ingest(record(dimensions={"region": True}), record(dimensions={"region": 5}, uniqueId="v"))
    groups = amberflo.usage(groupBy=["region"])["clientMeters"]
    assert {group["group"]["groupInfo"]["region"] for group in groups} == {"true", "5"}


def test_unknown_meters_customers_and_members_are_taken(amberflo: Amberflo) -> None:
    amberflo.ingest(record(meterApiName="nobody-made-it", customerId="nobody", more="x"))
    assert amberflo.sandbox.totals("nobody-made-it") == {"nobody": 1}


@pytest.mark.parametrize("seconds_from_now", [-61 * 86_400, 600], ids=["too old", "ahead"])
def test_odd_times_are_taken_unless_it_is_strict(amberflo: Amberflo, strict: Amberflo, seconds_from_now: int) -> None:
    odd = {"meterTimeInMillis": int((time.time() + seconds_from_now) * 1000)}
    assert amberflo.call("POST", "/ingest", record(**odd)).status_code == 200
    assert strict.call("POST", "/ingest", record(**odd)).status_code == 400


@pytest.mark.parametrize("odd", [{"dimensions": {"a": "x" * 201}}, {"dimensions": {"a": "b/c"}}])
def test_odd_records_are_taken_unless_it_is_strict(amberflo: Amberflo, strict: Amberflo, odd: dict[str, Any]) -> None:
    assert amberflo.call("POST", "/ingest", record(**odd)).status_code == 200
    assert strict.call("POST", "/ingest", record(**odd)).status_code == 400


def test_what_was_taken_outlives_a_restart(started: Callable[..., Amberflo], tmp_path: Path) -> None:
    with running_sandbox(KEY, tmp_path / "data") as running:
        first = Amberflo(running)
        made = first.create_meter()
        first.ingest(record(), record())
    again = started(tmp_path / "data")
    assert again.json("GET", "/meters") == [made]
    assert _total(again) == 1
