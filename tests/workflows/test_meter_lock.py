"""Changes of one meter at the same time: none is lost, and no execution blocks the meter for ever."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from amberflo_workflows.core.meter_lock import LOCK_SECONDS
from amberflo_workflows.local.system import System
from tests.conftest import sandbox_of
from tests.entrypoints.calls import Api, ApiResult, create_meter
from tests.workflows.asl import WORKFLOWS, load_workflow
from tests.workflows.runner import Runner

pytestmark = pytest.mark.emulator

CHANGES: list[dict[str, Any]] = [
    {"description": "Calls of the API"},
    {"unit": "calls"},
    {"dimensions": ["region"]},
    {"useInBilling": True},
    {"seatBased": True},
    {"timeoutInMinutes": 5},
    {"label": "Calls"},
    {"sharedWithPartners": True},
]
# So long between the reading and the writing that all callers read the same meter if they do not wait for each other.
SLOW_WRITE = {"kind": "delay", "seconds": 0.2, "method": "PUT", "path": "/meters"}
OTHER_EXECUTION = "arn:aws:states:us-east-1:000000000000:express:UpdateMeter:other:1"


def _change_until_done(api: Api, meter_id: str, change: dict[str, Any]) -> list[int]:
    """Repeat a change as the message of a 409 says; returns the statuses."""
    statuses: list[int] = []
    while not statuses or (statuses[-1] == 409 and len(statuses) < 20):
        statuses.append(api.call("PUT", f"meters/{meter_id}", change).status)
    return statuses


def _find_table(system: System) -> str:
    """The name of the table of locks, which only the state machines and a function need."""
    arn = system.state_machine_arns["update_meter"]
    definition = system.client("stepfunctions").describe_state_machine(stateMachineArn=arn)["definition"]
    return str(json.loads(definition)["States"]["UnlockMeterAfterError"]["Parameters"]["TableName"])


def _lock(system: System, meter_id: str, seconds: int) -> None:
    """Lock a meter as another execution that has so many seconds left."""
    system.client("dynamodb").put_item(
        TableName=_find_table(system),
        Item={
            "id": {"S": meter_id},
            "executionArn": {"S": OTHER_EXECUTION},
            "expiration": {"N": str(int(time.time()) + seconds)},
        },
    )


def _read_lock(system: System, meter_id: str) -> Any:
    item = system.client("dynamodb").get_item(
        TableName=_find_table(system), Key={"id": {"S": meter_id}}, ConsistentRead=True
    )
    return item.get("Item")


@contextmanager
def _changed_workflow(system: System, workflow: str, state: str, **members: Any) -> Iterator[None]:
    """Change members of a deployed state until the end of the ``with`` block."""
    client, arn = system.client("stepfunctions"), system.state_machine_arns[workflow]
    deployed = client.describe_state_machine(stateMachineArn=arn)["definition"]
    machine = json.loads(deployed)
    machine["States"][state].update(members)
    client.update_state_machine(stateMachineArn=arn, definition=json.dumps(machine))
    try:
        yield
    finally:
        client.update_state_machine(stateMachineArn=arn, definition=deployed)


@pytest.mark.parametrize("repetition", range(3))
def test_no_change_is_lost_when_all_come_at_once(system: System, repetition: int) -> None:
    assert repetition >= 0
    api = Api(system)
    meter_id = create_meter(api)["id"]
    sandbox_of(system).set_faults([SLOW_WRITE])
    with ThreadPoolExecutor(len(CHANGES)) as pool:
        statuses = list(pool.map(lambda change: _change_until_done(api, meter_id, change), CHANGES))
    assert [attempts[-1] for attempts in statuses] == [200] * len(CHANGES), statuses
    assert {status for attempts in statuses for status in attempts} <= {200, 409}
    meter = api.call("GET", f"meters/{meter_id}").body["data"]
    assert {name: meter.get(name) for change in CHANGES for name in change} == {
        name: value for change in CHANGES for name, value in change.items()
    }
    assert _read_lock(system, meter_id) is None


@pytest.mark.parametrize("repetition", range(3))
def test_a_meter_that_is_deleted_while_it_is_changed_stays_deleted(system: System, repetition: int) -> None:
    assert repetition >= 0
    api = Api(system)
    meter_id = create_meter(api)["id"]
    sandbox_of(system).set_faults([SLOW_WRITE])

    def call(number: int) -> ApiResult:
        if number == 2:
            return api.call("DELETE", f"meters/{meter_id}")
        return api.call("PUT", f"meters/{meter_id}", CHANGES[number])

    with ThreadPoolExecutor(5) as pool:
        results = list(pool.map(call, range(5)))
    assert results[2].status == 200, results[2]
    assert {result.status for result in results} <= {200, 404}, results
    assert api.call("GET", f"meters/{meter_id}").status == 404
    assert api.call("GET", "meters").body["data"] == []


def test_a_meter_that_stays_locked_is_a_409_and_nothing_is_changed(system: System) -> None:
    api = Api(system)
    meter = create_meter(api)
    _lock(system, meter["id"], LOCK_SECONDS)
    with _changed_workflow(system, "update_meter", "LockMeter", Parameters=_short_lock_parameters()):
        response = api.call("PUT", f"meters/{meter['id']}", {"unit": "calls"})
    assert (response.status, response.body["statusCode"]) == (409, 409)
    assert "Repeat it" in response.body["message"]
    assert api.call("GET", f"meters/{meter['id']}").body["data"] == meter
    assert _read_lock(system, meter["id"])["executionArn"] == {"S": OTHER_EXECUTION}


def _short_lock_parameters() -> dict[str, Any]:
    update_meter = load_workflow(WORKFLOWS / "update_meter.asl.json")
    parameters: dict[str, Any] = update_meter["States"]["LockMeter"]["Parameters"]
    return {**parameters, "timeoutSeconds": 2.1}


@pytest.mark.parametrize(("method", "change"), [("PUT", {"unit": "calls"}), ("DELETE", None)])
def test_the_lock_of_an_execution_that_was_killed_ends_by_itself(
    system: System, method: str, change: dict[str, Any] | None
) -> None:
    api = Api(system)
    meter_id = create_meter(api)["id"]
    _lock(system, meter_id, seconds=-1)
    assert api.call(method, f"meters/{meter_id}", change).status == 200
    assert _read_lock(system, meter_id) is None


def test_a_lock_that_cannot_be_deleted_changes_no_response_and_has_an_end(system: System) -> None:
    api = Api(system)
    meter_id = create_meter(api)["id"]
    with _changed_workflow(system, "update_meter", "UnlockMeter", Parameters={"TableName": "missing", "Key": {}}):
        before = int(time.time())
        assert api.call("PUT", f"meters/{meter_id}", {"unit": "calls"}).status == 200
    expiration = int(_read_lock(system, meter_id)["expiration"]["N"])
    assert before + LOCK_SECONDS <= expiration <= time.time() + LOCK_SECONDS


@pytest.mark.parametrize("workflow", ["update_meter", "delete_meter"])
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "status", "status": 503, "path": "/meters/*", "method": "GET"}, "AmberfloUnavailable"),
        ({"kind": "status", "status": 429, "path": "/meters", "method": "PUT"}, "AmberfloThrottled"),
        ({"kind": "status", "status": 401, "path": "/meters/*", "method": "GET"}, "AmberfloUnauthorized"),
    ],
)
def test_an_execution_that_fails_unlocks_the_meter(
    runner: Runner, workflow: str, fault: dict[str, Any], error: str
) -> None:
    meter_id = create_meter(Api(runner.system))["id"]
    sandbox_of(runner.system).set_faults([fault])
    execution = runner.run(workflow, {"meterId": meter_id})
    assert (execution.status, execution.error) == ("FAILED", error)
    assert execution.cause
    assert _read_lock(runner.system, meter_id) is None


@pytest.mark.parametrize("workflow", ["update_meter", "delete_meter"])
def test_an_unknown_meter_is_not_locked_afterwards(runner: Runner, workflow: str) -> None:
    assert runner.run(workflow, {"meterId": "unknown"}).output["statusCode"] == 404
    assert _read_lock(runner.system, "unknown") is None
