import json
import time
from typing import Any

import pytest

from amberflo_workflows.local.deploy import put_secret
from amberflo_workflows.local.system import SECRET
from tests.conftest import sandbox_of
from tests.workflows.runner import Execution, Runner

pytestmark = pytest.mark.emulator

METER = {"label": "API calls", "meterApiName": "api-calls", "meterType": "sum_of_all_usage"}
SYNCHRONOUS = [
    "create_meter", "get_meter", "list_meters", "update_meter", "delete_meter", "fetch_usage", "list_records",
    "cancel_usage", "list_usage", "list_customers", "get_customer",
]  # fmt: skip
REFRESHED = ["WasApiKeyRefreshed", "RefreshApiKey"]


def _usage(number: int, **fields: Any) -> dict[str, Any]:
    usage = {"tenantId": "t1", "meterApiName": "api-calls", "meterValue": 2, **fields}
    event_time = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 60))
    return {"eventId": f"e{number}", "eventTime": event_time, "index": number, "usage": usage}


def _create_meter(runner: Runner) -> Any:
    return runner.run("create_meter", METER).output["body"]["data"]


def _request(runner: Runner, workflow: str) -> Any:
    """A request that succeeds; creates the meter that it needs."""
    without_meter = {"create_meter", "list_meters", "list_usage", "list_customers", "get_customer"}
    meter_id = "" if workflow in without_meter else _create_meter(runner)["id"]
    window = {"startTimeInSeconds": 1, "endTimeInSeconds": 2}
    if workflow == "get_customer":
        runner.run("create_customer", {"detail": {"tenantId": "t1"}})
    return {
        "create_meter": METER,
        "list_meters": {},
        "get_meter": {"meterId": meter_id},
        "update_meter": {"meterId": meter_id, "label": "new"},
        "delete_meter": {"meterId": meter_id},
        "list_usage": {},
        "fetch_usage": {"meterId": meter_id},
        "list_records": {"meterId": meter_id, "tenantId": "t1", **window},
        "list_customers": {},
        "get_customer": {"customerId": "t1"},
        "cancel_usage": {"id": "r", "meterApiName": "api-calls", "ingestionTimeRange": window},
    }[workflow]


def _fault(runner: Runner, **fault: Any) -> None:
    sandbox_of(runner.system).clear_requests()
    sandbox_of(runner.system).set_faults([fault])


def _rotate_key(runner: Runner) -> None:
    """Set a new key at Amberflo and in the secret."""
    key = f"rotated-{time.time()}"
    sandbox_of(runner.system).set_keys([key])
    put_secret(runner.system.emulator, SECRET, {"apiKey": key})


@pytest.mark.parametrize("workflow", SYNCHRONOUS)
def test_a_valid_request_succeeds_without_refreshing_the_key(runner: Runner, workflow: str) -> None:
    execution = runner.run(workflow, _request(runner, workflow))
    assert execution.status == "SUCCEEDED"
    assert execution.output["statusCode"] == (201 if workflow == "create_meter" else 200)
    assert "data" in execution.output["body"]
    assert execution.states[0] == "ResolveApiKey"
    assert "RefreshApiKey" not in execution.states


def test_the_first_call_after_a_rotation_uses_the_new_key(runner: Runner) -> None:
    _rotate_key(runner)
    execution = runner.run("list_meters", {})
    assert execution.output["statusCode"] == 200
    assert [state for state in execution.states if state in REFRESHED] == REFRESHED


def test_a_meter_created_by_an_attempt_whose_response_was_lost_is_a_success(runner: Runner) -> None:
    _fault(runner, kind="accept_then_drop", path="/meters", method="POST", times=1)
    execution = runner.run("create_meter", METER)
    assert execution.output["statusCode"] == 201
    assert runner.run("create_meter", METER).output["statusCode"] == 409


# What the second attempt meets: the meter is gone, or the key was rotated in the meantime.
@pytest.mark.parametrize("second", [404, 401])
def test_a_meter_deleted_by_an_attempt_whose_response_was_lost_is_a_success(runner: Runner, second: int) -> None:
    meter_id = _create_meter(runner)["id"]
    delete = {"path": "/meters/*", "method": "DELETE", "times": 1}
    sandbox_of(runner.system).set_faults(
        [{**delete, "kind": "accept_then_drop"}, {**delete, "kind": "status", "status": second}]
    )
    execution = runner.run("delete_meter", {"meterId": meter_id})
    assert execution.output == {"statusCode": 200, "body": {"data": {"id": meter_id}}}
    assert ("DescribeDeletedMeter" in execution.states) == (second == 401)
    assert runner.run("delete_meter", {"meterId": meter_id}).output["statusCode"] == 404


def test_a_meter_created_before_the_key_was_read_again_is_a_success(runner: Runner) -> None:
    create = {"path": "/meters", "method": "POST", "times": 1}
    sandbox_of(runner.system).set_faults(
        [{**create, "kind": "accept_then_drop"}, {**create, "kind": "status", "status": 401}]
    )
    assert runner.run("create_meter", METER).output["statusCode"] == 201


@pytest.mark.parametrize("second", [503, 401])
def test_a_meter_locked_by_an_attempt_whose_response_was_lost_is_a_success(runner: Runner, second: int) -> None:
    meter_id = _create_meter(runner)["id"]
    update = {"path": "/meters", "method": "PUT", "times": 1}
    rejection = '{"errorMessage": "Invalid request: \'lockingStatus\' prevents meter from being changed."}'
    sandbox_of(runner.system).set_faults(
        [
            {**update, "kind": "accept_then_drop"},
            {**update, "kind": "status", "status": second},
            {**update, "kind": "status", "status": 400, "body": rejection},
        ]
    )
    execution = runner.run("update_meter", {"meterId": meter_id, "lockingStatus": "close_to_changes"})
    assert (execution.output["statusCode"], execution.output["body"]["data"]["id"]) == (200, meter_id)


@pytest.mark.parametrize("workflow", ["get_meter", "update_meter", "delete_meter", "fetch_usage", "list_records"])
def test_an_unknown_meter_is_a_404(runner: Runner, workflow: str) -> None:
    assert runner.run(workflow, {"meterId": "unknown"}).output["statusCode"] == 404


@pytest.mark.parametrize("workflow", [*SYNCHRONOUS, "ingest_usage"])
@pytest.mark.parametrize("request_", [[], "text", {"meterId": 5, "limit": "x"}])
def test_an_invalid_request_is_a_400_and_not_a_failure(runner: Runner, workflow: str, request_: Any) -> None:
    execution = runner.run(workflow, request_)
    assert (execution.status, execution.output["statusCode"]) == ("SUCCEEDED", 400), execution


def test_deletion_deprecates_a_meter_first_and_only_once(runner: Runner) -> None:
    meter_id = _create_meter(runner)["id"]
    assert "DeprecateMeter" in runner.run("delete_meter", {"meterId": meter_id}).states
    deprecated = {**METER, "lockingStatus": "deprecated"}
    meter_id = runner.run("create_meter", deprecated).output["body"]["data"]["id"]
    assert "DeprecateMeter" not in runner.run("delete_meter", {"meterId": meter_id}).states


def test_usage_is_fetched_by_name_without_a_lookup(runner: Runner) -> None:
    meter_id = _create_meter(runner)["id"]
    assert "LookUpMeter" in runner.run("fetch_usage", {"meterId": meter_id}).states
    by_name = runner.run("fetch_usage", {"meterId": meter_id, "meterApiName": "api-calls"})
    assert "LookUpMeter" not in by_name.states
    assert by_name.output["body"]["data"]["clientMeters"][0]["groupValue"] == 0


@pytest.mark.parametrize(("caller_waits", "state"), [(True, "SendForCaller"), (False, "SendInBackground")])
def test_a_chunk_is_sent_in_one_request_and_counted(runner: Runner, *, caller_waits: bool, state: str) -> None:
    _create_meter(runner)
    sandbox_of(runner.system).clear_requests()
    request = {"usages": [_usage(number) for number in range(100)], "callerWaits": caller_waits}
    execution = runner.run("ingest_usage", request)
    data = execution.output["body"]["data"]
    assert (data["accepted"], len(data["uniqueIds"]), data["rejected"]) == (100, 100, [])
    assert state in execution.states
    # On a busy machine an attempt may time out, and its repetition counts again.
    assert 1 <= sandbox_of(runner.system).count_calls("/ingest") < 5
    assert sandbox_of(runner.system).totals("api-calls") == {"t1": 200}


def _rejected_items(runner: Runner, execution: Execution) -> list[dict[str, str]]:
    pages = (
        runner.system.client("dynamodb")
        .get_paginator("scan")
        .paginate(TableName=runner.system.outputs["RejectedTableName"])
    )
    items = [item for page in pages for item in page["Items"] if "S" in item["original"]]
    plain = [{key: value["S"] for key, value in item.items() if "S" in value} for item in items]
    return [item for item in plain if item["executionArn"] == execution.arn]


@pytest.mark.meters("api-calls")
def test_invalid_usage_is_saved_with_its_reason_and_the_others_are_counted(runner: Runner) -> None:
    invalid = _usage(1, meterValue="two", tenantId=f"tenant-{time.time()}")
    execution = runner.run("ingest_usage", {"usages": [_usage(0), invalid, _usage(2)]})
    data = execution.output["body"]["data"]
    reason = "meterValue must be a number, not text"
    assert (data["accepted"], data["rejected"]) == (2, [{"index": 1, "uniqueId": "e1", "reason": reason}])
    items = _rejected_items(runner, execution)
    assert [(item["reason"], json.loads(item["original"])) for item in items] == [(reason, invalid)]
    assert sandbox_of(runner.system).totals("api-calls") == {"t1": 4}


def test_usage_that_is_rejected_again_is_saved_once(runner: Runner) -> None:
    request = {"usages": [_usage(1, meterValue="two", tenantId=f"tenant-{time.time()}")]}
    first = runner.run("ingest_usage", request)
    second = runner.run("ingest_usage", request)
    assert second.output == first.output
    assert len(_rejected_items(runner, first)) == 1
    assert _rejected_items(runner, second) == []


def test_a_batch_that_amberflo_rejects_is_sent_one_by_one(runner: Runner) -> None:
    _create_meter(runner)
    _fault(runner, kind="status", status=400, path="/ingest", body='{"errorMessage": "no"}', times=1)
    execution = runner.run("ingest_usage", {"usages": [_usage(0), _usage(1), _usage(2)]})
    assert "SendOneByOne" in execution.states
    data = execution.output["body"]["data"]
    assert (data["accepted"], sorted(data["uniqueIds"]), data["rejected"]) == (3, ["e0", "e1", "e2"], [])
    assert sandbox_of(runner.system).totals("api-calls") == {"t1": 6}


@pytest.mark.meters("api-calls")
def test_a_single_record_that_amberflo_rejects_is_saved(runner: Runner) -> None:
    _fault(runner, kind="status", status=400, path="/ingest", body='{"errorMessage": "no"}', times=2)
    execution = runner.run(
        "ingest_usage", {"usages": [_usage(0, tenantId=f"a-{time.time()}"), _usage(1, tenantId=f"b-{time.time()}")]}
    )
    data = execution.output["body"]["data"]
    assert data["accepted"] == 1
    assert [rejected["reason"] for rejected in data["rejected"]] == ["Amberflo rejected it: no"]
    assert len(_rejected_items(runner, execution)) == 1


def test_a_key_rotated_during_an_ingest_is_used(runner: Runner) -> None:
    _create_meter(runner)
    _rotate_key(runner)
    execution = runner.run("ingest_usage", {"usages": [_usage(0)]})
    assert execution.output["body"]["data"]["accepted"] == 1
    assert [state for state in execution.states if state in REFRESHED] == REFRESHED


@pytest.mark.parametrize(("count", "filler"), [(300, '"' * 40), (90, '"' * 450)])
def test_a_completely_rejected_chunk_fits_into_the_states_payloads(runner: Runner, count: int, filler: str) -> None:
    names = {"tenantId": "t" * 20, "uniqueId": "u" * 36, "meterApiName": "m" * 60}
    usages = [_usage(number, a=filler, **names) for number in range(count)]
    assert 80_000 < len(json.dumps(usages)) < 110_000
    execution = runner.run("ingest_usage", {"usages": usages})
    assert len(execution.output["body"]["data"]["rejected"]) == count
    # The emulator does not enforce AWS's limit, so the test does.
    assert 20_000 < max(runner.payloads(execution.arn)) <= 262_144
    (item, *_) = _rejected_items(runner, execution)
    assert json.loads(item["original"]) in usages


def test_three_hundred_usages_are_counted_if_one_of_their_requests_is_rejected(runner: Runner) -> None:
    _create_meter(runner)
    _fault(runner, kind="status", status=400, path="/ingest", body='{"errorMessage": "no"}', times=1)
    execution = runner.run("ingest_usage", {"usages": [_usage(number) for number in range(300)]})
    data = execution.output["body"]["data"]
    assert (data["accepted"], len(set(data["uniqueIds"])), data["rejected"]) == (300, 300, [])
    assert sandbox_of(runner.system).totals("api-calls") == {"t1": 600}
