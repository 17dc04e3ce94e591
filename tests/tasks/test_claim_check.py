"""Answers at the sizes at which their way changes: in the state, by the bucket, not at all."""

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


def _answering(steps: Steps, body: object) -> None:
    """Let Amberflo answer just this."""
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    steps.sandbox.set_faults([{"kind": "status", "status": 200, "body": text}])


def _report_for(body_bytes: int, letter: str = "x") -> dict[str, Any]:
    """A usage report that makes an answer of so many bytes."""
    around = len(b'{"data":{"clientMeters":[],"made":""}}')
    return {"clientMeters": [], "made": letter * ((body_bytes - around) // len(letter.encode()))}


def _fetched(steps: Steps) -> Any:
    return steps.run("fetch_usage", {"question": {"meterId": "m"}, "meterApiName": "api-calls"})


def test_an_answer_that_a_state_can_carry_stays_in_it(steps: Steps) -> None:
    report = _report_for(MAX_INLINE_BYTES)
    _answering(steps, report)
    answer = _fetched(steps)
    assert answer == {"statusCode": 200, "body": {"data": report}}
    assert MAX_INLINE_BYTES < len(json.dumps(answer)) < STATE_BYTES
    assert _keys(steps) == []


@pytest.mark.parametrize("size", [MAX_INLINE_BYTES + 1, MAX_BODY_BYTES])
def test_a_larger_one_is_left_in_the_bucket_and_its_claim_goes_on(steps: Steps, size: int) -> None:
    report = _report_for(size)
    _answering(steps, report)
    answer = _fetched(steps)
    (key,) = _keys(steps)
    assert answer == {"statusCode": 200, "claim": {"bucket": BUCKET, "key": key, "bytes": size}}
    assert key.startswith("run-1/")
    left = steps.emulator.client("s3").get_object(Bucket=BUCKET, Key=key)
    assert json.loads(left["Body"].read()) == {"data": report}


def test_one_byte_more_than_can_be_answered_says_how_to_narrow_the_question(steps: Steps) -> None:
    _answering(steps, _report_for(MAX_BODY_BYTES + 1))
    answer = _fetched(steps)
    assert answer["statusCode"] == 413
    assert "6,291,457 bytes; 6,291,456 can be carried" in answer["body"]["message"]
    assert "timeGroupingInterval" in answer["body"]["message"]
    assert _keys(steps) == []


def test_bytes_are_counted_as_some_runtimes_escape_them(steps: Steps) -> None:
    for size, member in ((MAX_INLINE_BYTES // 3 - 100, "body"), (MAX_INLINE_BYTES // 3 + 100, "claim")):
        _answering(steps, _report_for(size, "é"))
        assert member in _fetched(steps)


def test_a_list_of_any_length_comes_in_pages_that_can_be_answered(steps: Steps) -> None:
    meters = [{"id": f"id-{n}", "meterApiName": f"meter-{n:05}", "description": "d" * 1_000} for n in range(7_000)]
    _answering(steps, meters)
    first = steps.run("list_meters", {})
    assert 6_000_000 < first["claim"]["bytes"] <= MAX_BODY_BYTES
    page = json.loads(steps.emulator.client("s3").get_object(Bucket=BUCKET, Key=first["claim"]["key"])["Body"].read())
    second = steps.run("list_meters", {"next_token": page["next_token"]})
    rest = json.loads(steps.emulator.client("s3").get_object(Bucket=BUCKET, Key=second["claim"]["key"])["Body"].read())
    assert page["data"] + rest["data"] == meters
    assert rest["next_token"] is None


def test_a_single_meter_that_is_too_large_for_a_page_is_told(steps: Steps) -> None:
    _answering(steps, [{"id": "i", "meterApiName": "m", "description": "d" * MAX_BODY_BYTES}])
    assert steps.run("list_meters", {})["statusCode"] == 413


def test_a_bucket_that_does_not_take_it_fails_the_step_by_name(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSWERS_BUCKET_NAME", "not-there")
    _answering(steps, _report_for(MAX_INLINE_BYTES + 1))
    with pytest.raises(ResponseNotStored, match=r"'not-there' did not take the answer \(NoSuchBucket\)"):
        _fetched(steps)


@pytest.mark.parametrize(("size", "status"), [(140_000, 200), (140_001, 413)])
def test_a_meter_that_no_workflow_could_carry_is_a_413(steps: Steps, size: int, status: int) -> None:
    meter = {"meterApiName": "m", "description": ""}
    meter["description"] = "d" * (size - len(json.dumps(meter, separators=(",", ":"))))
    _answering(steps, meter)
    assert steps.run("get_meter", {"meterId": "i"})["statusCode"] == status


@pytest.mark.parametrize(("size", "status"), [(100_000, 201), (100_001, 413)])
def test_a_definition_that_no_workflow_could_carry_is_a_413(steps: Steps, size: int, status: int) -> None:
    meter = {"label": "m", "meterApiName": "m", "meterType": "sum_of_all_usage", "description": ""}
    meter["description"] = "d" * (size - len(json.dumps(meter, separators=(",", ":"))))
    assert steps.run("create_meter", meter)["statusCode"] == status


def test_half_a_character_is_a_wrong_request_and_no_failure(steps: Steps) -> None:
    meter = {"label": "\ud800", "meterApiName": "m", "meterType": "sum_of_all_usage"}
    for task, request in (("create_meter", meter), ("get_meter", {"meterId": "\ud800"})):
        answer = steps.run(task, request)
        assert answer["statusCode"] == 400
        assert answer["body"]["details"][0]["problem"] == "A text in it is not valid Unicode"
