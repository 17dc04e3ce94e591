"""``POST /replays`` and ``GET /replays/{id}`` on the deployed API."""

import time
from typing import Any

import pytest

from amberflo_workflows.local.system import System
from tests.conftest import sandbox_of
from tests.entrypoints.calls import Api
from tests.polling import wait_until
from tests.workflows.faults.cells import changed_environment

pytestmark = [pytest.mark.emulator, pytest.mark.meters("api-calls")]

HOUR_SECONDS = 3600
HOUR = (int(time.time()) // HOUR_SECONDS - 6) * HOUR_SECONDS
RANGE = {"startTimeInSeconds": HOUR, "endTimeInSeconds": HOUR + HOUR_SECONDS}
USAGE = {"tenantId": "acme", "meterApiName": "api-calls", "meterValue": 2, "uniqueId": "u"}


def _start(api: Api, **request: Any) -> str:
    response = api.call("POST", "replays", {**RANGE, **request})
    assert response.status == 202, response
    assert response.headers["x-execution-arn"].endswith(f":{response.body['data']['id']}")
    return str(response.body["data"]["id"])


def _wait(api: Api, replay_id: str) -> Any:
    """Return the response about a replay once it has ended."""
    responses = []

    def has_ended() -> bool:
        responses.append(api.call("GET", f"replays/{replay_id}"))
        return responses[-1].status != 200 or responses[-1].body["data"]["status"] != "running"

    assert wait_until(has_ended)
    return responses[-1]


def test_a_replay_brings_usage_back(api: Api, system: System) -> None:
    assert api.call("POST", "ingest", {**USAGE, "meterTimeInMillis": HOUR * 1000}).status == 200
    sandbox_of(system).delete_records()
    counts = {"rejected": 0, "cancelled": 0, "tooOld": 0, "slices": 1}
    for dry_run, totals in ((True, {}), (False, {"acme": 2})):
        replay_id = _start(api, dryRun=dry_run)
        result = {"sent": 1, **counts, "dryRun": dry_run}
        expected = {"data": {"id": replay_id, "status": "succeeded", "result": result}}
        assert _wait(api, replay_id).body == expected
        assert sandbox_of(system).totals("api-calls") == totals


@pytest.mark.parametrize(
    ("request_body", "field"),
    [
        ({**RANGE, "endTimeInSeconds": HOUR}, "startTimeInSeconds"),
        ({**RANGE, "meterApiName": 5}, "meterApiName"),
        ({**RANGE, "dry_run": True}, "dry_run"),
        ({"reconciliation": "a/b"}, "reconciliation"),
        ({}, "startTimeInSeconds"),
    ],
)
def test_an_invalid_request_starts_nothing(api: Api, request_body: Any, field: str) -> None:
    response = api.call("POST", "replays", request_body)
    assert (response.status, response.body["details"][0]["field"]) == (400, field)
    assert "x-execution-arn" not in response.headers


def test_a_replay_of_an_unknown_reconciliation_is_not_found(api: Api) -> None:
    response = api.call("POST", "replays", {"reconciliation": "unknown"})
    ended = _wait(api, response.body["data"]["id"])
    assert (response.status, ended.status) == (202, 404)
    assert ended.body["message"] == "There is no report of a reconciliation 'unknown'."


@pytest.mark.parametrize("replay_id", ["unknown", "a:b", "x" * 81])
def test_an_unknown_replay_is_not_found(api: Api, replay_id: str) -> None:
    response = api.call("GET", f"replays/{replay_id}")
    assert (response.status, replay_id in response.body["message"]) == (404, True)


def test_a_replay_that_fails_says_so(api: Api, system: System) -> None:
    with changed_environment(system, "SendUsagesAgain", LEDGER_BUCKET_NAME="missing"):
        ended = _wait(api, _start(api))
    assert (ended.status, ended.body["data"]["status"], ended.body["data"]["error"]) == (
        200,
        "failed",
        "ReplayIncomplete",
    )
