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


@pytest.mark.parametrize("path", ["/ingest", "/ingest/", "/", "/ingest?schemaDetection=AUTO"])
def test_every_path_that_clients_use_accepts_usage_and_responds_with_text(amberflo: Amberflo, path: str) -> None:
    response = amberflo.call("POST", path, record())
    assert (response.status_code, response.text) == (200, "1 records were ingested")
    assert "text/plain" in response.headers["Content-Type"]
    assert amberflo.total() == 1


@pytest.mark.parametrize("is_gzip", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("form", ["object", "object over lines", "array", "array over lines", "lines"])
def test_a_body_is_an_object_an_array_or_an_object_per_line(amberflo: Amberflo, form: str, *, is_gzip: bool) -> None:
    records = [record(uniqueId=str(number)) for number in range(1 if "object" in form else 3)]
    text = {
        "object": json.dumps(records[0]),
        "object over lines": json.dumps(records[0], indent=2),
        "array": json.dumps(records),
        "array over lines": json.dumps(records, indent=2),
        "lines": "\n".join(json.dumps(item) for item in records),
    }[form].encode()
    headers = {"X-API-KEY": KEY, "Content-Encoding": "gzip"} if is_gzip else {"X-API-KEY": KEY}
    response = amberflo.call("POST", "/ingest", data=gzip.compress(text) if is_gzip else text, headers=headers)
    assert response.text == f"{len(records)} records were ingested"
    assert amberflo.total() == len(records)


@pytest.mark.parametrize(
    "fields",
    [
        {"customerId": None},
        {"meterApiName": ""},
        {"meterValue": "1"},
        {"meterValue": True},
        {"meterTimeInMillis": 0},
        {"meterTimeInMillis": 1.5},
        # Over 64 bits, the size of times in the database: reading it would fail, with all that came with it.
        {"meterTimeInMillis": 2**63},
        {"meterValue": 10**400},
        {"dimensions": ["a"]},
        {"dimensions": {"a": {"b": 1}}},
    ],
    ids=[
        "no customer",
        "empty meter",
        "value as text",
        "boolean value",
        "time 0",
        "fraction of a millisecond",
        "time over 64 bits",
        "infinite value",
        "list of dimensions",
        "nested dimension",
    ],
)
def test_an_invalid_record_rejects_the_complete_body(amberflo: Amberflo, fields: dict[str, Any]) -> None:
    assert "Invalid request" in amberflo.error_message("POST", "/ingest", [record(), record(**fields)])
    assert amberflo.total() == 0


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"", 200), (b"{", 400), (b"5", 400), (b"[5]", 400), (b"[[]]", 400), (b'{"customerId": "\xff"}', 400)],
    ids=["empty", "incomplete", "number", "array of numbers", "array of arrays", "not UTF-8"],
)
def test_a_body_without_records_counts_nothing(amberflo: Amberflo, body: bytes, status: int) -> None:
    assert amberflo.call("POST", "/ingest", data=body).status_code == status
    assert amberflo.total() == 0


@pytest.mark.parametrize(
    "body",
    [b"{}", gzip.compress(b"{}")[:-9], gzip.compress(b"{}")[:10] + b"\xff" * 20],
    ids=["plain", "incomplete", "invalid"],
)
def test_an_invalid_gzip_body_is_a_400(amberflo: Amberflo, body: bytes) -> None:
    response = amberflo.call("POST", "/ingest", data=body, headers={"Content-Encoding": "gzip"})
    assert (response.status_code, "Invalid request" in response.json()["errorMessage"]) == (400, True)


def test_a_record_can_have_values_of_several_meters(amberflo: Amberflo) -> None:
    fields = {key: value for key, value in record().items() if key not in {"meterApiName", "meterValue"}}
    amberflo.ingest({**fields, "values": {"api-calls": 2, "other": 3}})
    assert (amberflo.sandbox.totals("api-calls"), amberflo.sandbox.totals("other")) == ({"acme": 2}, {"acme": 3})


def test_only_an_equal_record_is_a_duplicate(amberflo: Amberflo) -> None:
    first = record()
    amberflo.ingest(first, first, {**first, "dimensions": {"region": "eu"}})
    assert amberflo.total() == 1
    others = [
        {"uniqueId": "v"},
        {"meterTimeInMillis": first["meterTimeInMillis"] + 1},
        {"dimensions": {"region": "us"}},
        {"customerId": "globex"},
    ]
    for number, other in enumerate(others, 2):
        amberflo.ingest({**first, **other})
        assert amberflo.total() == number


def test_order_and_notation_do_not_matter_for_duplicates(amberflo: Amberflo) -> None:
    amberflo.ingest(record(dimensions={"a": "1", "b": "true"}), record(dimensions={"b": True, "a": 1}, meterValue=1.0))
    assert amberflo.total() == 1


def test_records_without_a_unique_id_are_compared_by_the_rest(amberflo: Amberflo) -> None:
    without_id = {key: value for key, value in record().items() if key != "uniqueId"}
    amberflo.ingest(without_id, without_id, {**without_id, "dimensions": {"region": "us"}})
    assert amberflo.total() == 2


def test_dimensions_are_stored_as_text(amberflo: Amberflo) -> None:
    amberflo.create_meter(dimensions=["region"])
    amberflo.ingest(record(dimensions={"region": True}), record(dimensions={"region": 5}, uniqueId="v"))
    groups = amberflo.usage(groupBy=["region"])["clientMeters"]
    assert {group["group"]["groupInfo"]["region"] for group in groups} == {"true", "5"}


def test_unknown_meters_customers_and_members_are_accepted(amberflo: Amberflo) -> None:
    amberflo.ingest(record(meterApiName="unknown", customerId="nobody", more="x"))
    assert amberflo.sandbox.totals("unknown") == {"nobody": 1}


@pytest.mark.parametrize("seconds_from_now", [-61 * 86_400, 86_400], ids=["old", "future"])
def test_strict_rejects_times_out_of_range(amberflo: Amberflo, strict: Amberflo, seconds_from_now: int) -> None:
    fields = {"meterTimeInMillis": int((time.time() + seconds_from_now) * 1000)}
    assert amberflo.call("POST", "/ingest", record(**fields)).status_code == 200
    assert strict.call("POST", "/ingest", record(**fields)).status_code == 400


@pytest.mark.parametrize("text", ["x" * 201, "b/c"], ids=["too long", "slash"])
def test_strict_rejects_invalid_dimensions(amberflo: Amberflo, strict: Amberflo, text: str) -> None:
    fields = {"dimensions": {"a": text}}
    assert amberflo.call("POST", "/ingest", record(**fields)).status_code == 200
    assert strict.call("POST", "/ingest", record(**fields)).status_code == 400


def test_data_is_kept_after_a_restart(start_sandbox: Callable[..., Amberflo], tmp_path: Path) -> None:
    with running_sandbox(KEY, tmp_path / "data") as running:
        first = Amberflo(running)
        meter = first.create_meter()
        first.ingest(record(), record())
    restarted = start_sandbox(tmp_path / "data")
    assert restarted.json("GET", "/meters") == [meter]
    assert restarted.total() == 1
