"""Responses around the size limits: in the state, in the bucket, or an error."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from amberflo_workflows.core.claim_check import MAX_BODY_BYTES, ResponseNotStored
from amberflo_workflows.core.response import MAX_INLINE_BYTES
from tests.tasks.conftest import Steps

BUCKET = "answers"
STATE_BYTES = 262_144


@pytest.fixture(autouse=True)
def bucket(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    s3 = steps.emulator.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    monkeypatch.setenv("ANSWERS_BUCKET_NAME", BUCKET)
    yield
    for key in _keys(steps):
        s3.delete_object(Bucket=BUCKET, Key=key)
    s3.delete_bucket(Bucket=BUCKET)


def _keys(steps: Steps) -> list[str]:
    return [item["Key"] for item in steps.emulator.client("s3").list_objects_v2(Bucket=BUCKET).get("Contents", [])]


def _set_response(steps: Steps, body: object) -> None:
    """Make Amberflo return this body."""
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    steps.sandbox.set_faults([{"kind": "status", "status": 200, "body": text}])


def _build_report(body_bytes: int, character: str = "x") -> dict[str, Any]:
    """Return a usage report that makes a response with a body of that size."""
    envelope = len(b'{"data":{"clientMeters":[],"note":""}}')
    return {"clientMeters": [], "note": character * ((body_bytes - envelope) // len(character.encode()))}


def _fetch(steps: Steps) -> Any:
    return steps.run("fetch_usage", {"question": {"meterId": "m"}, "meterApiName": "api-calls"})


def test_a_response_that_fits_into_a_state_stays_in_it(steps: Steps) -> None:
    report = _build_report(MAX_INLINE_BYTES)
    _set_response(steps, report)
    response = _fetch(steps)
    assert response == {"statusCode": 200, "body": {"data": report}}
    assert MAX_INLINE_BYTES < len(json.dumps(response)) < STATE_BYTES
    assert _keys(steps) == []


@pytest.mark.parametrize("size", [MAX_INLINE_BYTES + 1, MAX_BODY_BYTES])
def test_a_larger_response_is_stored_in_the_bucket_and_replaced_by_a_claim(steps: Steps, size: int) -> None:
    report = _build_report(size)
    _set_response(steps, report)
    response = _fetch(steps)
    (key,) = _keys(steps)
    assert response == {"statusCode": 200, "claim": {"bucket": BUCKET, "key": key, "bytes": size}}
    assert key.startswith("run-1/")
    stored = steps.emulator.client("s3").get_object(Bucket=BUCKET, Key=key)
    assert json.loads(stored["Body"].read()) == {"data": report}


def test_a_response_above_the_limit_is_an_error_with_advice(steps: Steps) -> None:
    _set_response(steps, _build_report(MAX_BODY_BYTES + 1))
    response = _fetch(steps)
    assert response["statusCode"] == 413
    assert "6,291,457 bytes; the limit is 6,291,456" in response["body"]["message"]
    assert "timeGroupingInterval" in response["body"]["message"]
    assert _keys(steps) == []


def test_the_usage_of_all_meters_is_stored_or_too_large(steps: Steps) -> None:
    _set_response(steps, [_build_report(MAX_BODY_BYTES - len("[]"))])
    response = steps.run("list_usage", {})
    assert (response["statusCode"], response["claim"]["bytes"]) == (200, MAX_BODY_BYTES)
    _set_response(steps, [_build_report(MAX_BODY_BYTES)])
    response = steps.run("list_usage", {})
    assert (response["statusCode"], "GET /usage/{meterId}" in response["body"]["message"]) == (413, True)


def test_size_is_counted_with_all_but_ascii_escaped(steps: Steps) -> None:
    for size, member in ((MAX_INLINE_BYTES // 3 - 100, "body"), (MAX_INLINE_BYTES // 3 + 100, "claim")):
        _set_response(steps, _build_report(size, "é"))
        assert member in _fetch(steps)


def test_a_list_of_any_length_is_split_into_pages_that_fit(steps: Steps) -> None:
    meters = [{"id": f"id-{n}", "meterApiName": f"meter-{n:05}", "description": "d" * 1_000} for n in range(7_000)]
    _set_response(steps, meters)
    first = steps.run("list_meters", {})
    assert 6_000_000 < first["claim"]["bytes"] <= MAX_BODY_BYTES
    page = json.loads(steps.emulator.client("s3").get_object(Bucket=BUCKET, Key=first["claim"]["key"])["Body"].read())
    second = steps.run("list_meters", {"next_token": page["next_token"]})
    rest = json.loads(steps.emulator.client("s3").get_object(Bucket=BUCKET, Key=second["claim"]["key"])["Body"].read())
    assert page["data"] + rest["data"] == meters
    assert rest["next_token"] is None


def test_a_single_meter_that_is_too_large_for_a_page_is_a_413(steps: Steps) -> None:
    _set_response(steps, [{"id": "i", "meterApiName": "m", "description": "d" * MAX_BODY_BYTES}])
    assert steps.run("list_meters", {})["statusCode"] == 413


def test_a_response_that_cannot_be_stored_fails_the_step(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSWERS_BUCKET_NAME", "not-there")
    _set_response(steps, _build_report(MAX_INLINE_BYTES + 1))
    with pytest.raises(ResponseNotStored, match=r"could not be stored in the bucket 'not-there' \(NoSuchBucket\)"):
        _fetch(steps)


@pytest.mark.parametrize(("size", "status"), [(140_000, 200), (140_001, 413)])
def test_a_meter_too_large_for_a_workflow_is_a_413(steps: Steps, size: int, status: int) -> None:
    meter = {"meterApiName": "m", "description": ""}
    meter["description"] = "d" * (size - len(json.dumps(meter, separators=(",", ":"))))
    _set_response(steps, meter)
    assert steps.run("get_meter", {"meterId": "i"})["statusCode"] == status


@pytest.mark.parametrize(("size", "status"), [(100_000, 201), (100_001, 413)])
def test_a_definition_too_large_for_a_workflow_is_a_413(steps: Steps, size: int, status: int) -> None:
    meter = {"label": "m", "meterApiName": "m", "meterType": "sum_of_all_usage", "description": ""}
    meter["description"] = "d" * (size - len(json.dumps(meter, separators=(",", ":"))))
    assert steps.run("create_meter", meter)["statusCode"] == status


def test_a_lone_surrogate_is_an_invalid_request(steps: Steps) -> None:
    meter = {"label": "\ud800", "meterApiName": "m", "meterType": "sum_of_all_usage"}
    for task, request in (("create_meter", meter), ("get_meter", {"meterId": "\ud800"})):
        response = steps.run(task, request)
        assert response["statusCode"] == 400
        assert response["body"]["details"][0]["problem"] == "It contains text that is not valid Unicode"
