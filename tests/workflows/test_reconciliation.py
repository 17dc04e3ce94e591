"""``reconcile_usage`` on the emulator: by a request, by a schedule, and what drift sets off."""

import json
import time
import uuid
from typing import Any

import pytest
import requests

from amberflo_workflows.core.ledger.layout import HOUR_SECONDS, start_of_hour
from amberflo_workflows.local.system import SECRET, System
from tests.conftest import sandbox_of
from tests.entrypoints.calls import Api
from tests.polling import wait_until
from tests.workflows.runner import Runner

pytestmark = [pytest.mark.emulator, pytest.mark.meters("api-calls")]

NOW = start_of_hour(int(time.time()))
DAY = 24 * HOUR_SECONDS
SCHEDULED = {"schedule": {"hours": 1, "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(NOW + HOUR_SECONDS))}}


def _usage(hours_ago: int, value: float = 2) -> dict[str, Any]:
    millis = (NOW - hours_ago * HOUR_SECONDS) * 1000
    own = {"uniqueId": str(uuid.uuid4()), "meterTimeInMillis": millis}
    return {"tenantId": "acme", "meterApiName": "api-calls", "meterValue": value, **own}


def _count(system: System, *usages: dict[str, Any]) -> None:
    response = Api(system).call("POST", "ingest", {"records": list(usages)})
    assert response.body["data"]["accepted"] == len(usages)


def _add_elsewhere(system: System, usage: dict[str, Any]) -> None:
    """Send a record to Amberflo without a workflow, and so without a receipt."""
    secret = system.client("secretsmanager").get_secret_value(SecretId=SECRET)["SecretString"]
    record = {"customerId": usage["tenantId"], "dimensions": {}}
    record |= {name: value for name, value in usage.items() if name != "tenantId"}
    headers = {"X-API-KEY": json.loads(secret)["apiKey"]}
    requests.post(f"{system.amberflo_url}/ingest", json=[record], headers=headers, timeout=10).raise_for_status()


def _reconcile(runner: Runner, request: Any) -> Any:
    execution = runner.run("reconcile_usage", request)
    assert execution.error == "", execution.cause
    return execution.output


def test_a_schedule_compares_late_usage_in_its_own_hour(runner: Runner) -> None:
    _count(runner.system, _usage(0), _usage(100), _usage(200))
    result = _reconcile(runner, SCHEDULED)["body"]["data"]
    assert (result["startTimeInSeconds"], result["endTimeInSeconds"]) == (NOW, NOW + HOUR_SECONDS)
    assert result["outcomes"] == {"agreed": 3, "missing": 0, "unknown": 0, "tooFresh": 0}
    # The hours of its range only.
    request = {"startTimeInSeconds": NOW, "endTimeInSeconds": NOW + HOUR_SECONDS}
    assert _reconcile(runner, request)["body"]["data"]["outcomes"]["agreed"] == 1


def test_a_second_reconciliation_sorts_only_what_is_new(runner: Runner) -> None:
    request = {"startTimeInSeconds": NOW - HOUR_SECONDS, "endTimeInSeconds": NOW + HOUR_SECONDS}
    states = []
    for usages in ([_usage(0)], [], [_usage(1)]):
        if usages:
            _count(runner.system, *usages)
        execution = runner.run("reconcile_usage", request)
        states.append("SortReceipts" in execution.states)
    assert states == [True, False, True]
    assert execution.output["body"]["data"]["outcomes"]["agreed"] == 2


def test_an_invalid_request_is_a_400(runner: Runner) -> None:
    output = _reconcile(runner, {"startTimeInSeconds": NOW})
    assert (output["statusCode"], output["body"]["details"][0]["field"]) == (400, "endTimeInSeconds")


def test_drift_is_an_event_on_the_bus(runner: Runner) -> None:
    system = runner.system
    events, sqs, bus = system.client("events"), system.client("sqs"), system.outputs["EventBusName"]
    name = f"drift-{uuid.uuid4()}"
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps({"detail-type": ["usageDrift"]}))
    events.put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": "queue", "Arn": arn}])
    # An hour that has ended: before, Amberflo's report is not final.
    _add_elsewhere(system, _usage(1, value=5))
    request = {"startTimeInSeconds": NOW - HOUR_SECONDS, "endTimeInSeconds": NOW}
    result = _reconcile(runner, request)["body"]["data"]
    messages: list[Any] = []

    def receive() -> bool:
        messages.extend(sqs.receive_message(QueueUrl=queue).get("Messages", []))
        return bool(messages)

    assert wait_until(receive)
    event = json.loads(messages[0]["Body"])
    assert (event["source"], event["detail-type"]) == ("amberflo.metering", "usageDrift")
    assert event["detail"]["reconciliation"] == result["id"]
    assert event["detail"]["outcomes"]["unknown"] == 1
    assert event["detail"]["report"] == result["report"]
    events.remove_targets(Rule=name, EventBusName=bus, Ids=["queue"])
    events.delete_rule(Name=name, EventBusName=bus)
    sqs.delete_queue(QueueUrl=queue)


def test_a_receipt_that_cannot_be_read_stops_the_reconciliation(runner: Runner) -> None:
    system = runner.system
    _count(system, _usage(0))
    key = (
        f"receipts/date={time.strftime('%Y-%m-%d', time.gmtime(NOW))}/hour={time.strftime('%H', time.gmtime(NOW))}/z.gz"
    )
    system.client("s3").put_object(Bucket=system.outputs["LedgerBucketName"], Key=key, Body=b"no gzip")
    assert runner.run("reconcile_usage", SCHEDULED).error == "ReconciliationIncomplete"
    system.client("s3").delete_object(Bucket=system.outputs["LedgerBucketName"], Key=key)
    assert _reconcile(runner, SCHEDULED)["body"]["data"]["outcomes"]["agreed"] == 1


def test_the_api_starts_a_reconciliation_and_tells_its_outcome(system: System) -> None:
    api = Api(system)
    _count(system, _usage(0))
    started = api.call("POST", "reconciliations", {"startTimeInSeconds": NOW, "endTimeInSeconds": NOW + HOUR_SECONDS})
    reconciliation = started.body["data"]["id"]
    assert (started.status, started.body["data"]["status"]) == (202, "running")
    assert started.headers["x-execution-arn"].endswith(f":{reconciliation}")
    path = f"reconciliations/{reconciliation}"
    assert wait_until(lambda: api.call("GET", path).body["data"]["status"] == "succeeded")
    response = api.call("GET", path)
    assert (response.status, response.body["data"]["result"]["outcomes"]["agreed"]) == (200, 1)
    assert response.headers["x-execution-arn"] == started.headers["x-execution-arn"]


def test_the_api_rejects_what_the_workflow_would_reject_and_starts_nothing(system: System) -> None:
    arn = system.state_machine_arns["reconcile_usage"]
    before = len(system.client("stepfunctions").list_executions(stateMachineArn=arn)["executions"])
    response = Api(system).call("POST", "reconciliations", {"startTimeInSeconds": NOW})
    assert (response.status, response.body["details"][0]["field"]) == (400, "endTimeInSeconds")
    assert "x-execution-arn" not in response.headers
    assert len(system.client("stepfunctions").list_executions(stateMachineArn=arn)["executions"]) == before


@pytest.mark.parametrize("name", ["no-such", "a:b", "x" * 81, "a b", "%2e%2e"])
def test_an_unknown_reconciliation_is_a_404(system: System, name: str) -> None:
    assert Api(system).call("GET", f"reconciliations/{name}").status == 404


def test_a_reconciliation_that_fails_says_so(system: System) -> None:
    sandbox_of(system).set_faults([{"kind": "status", "status": 401, "path": "/meters"}])
    api = Api(system)
    started = api.call("POST", "reconciliations", {"startTimeInSeconds": NOW, "endTimeInSeconds": NOW + HOUR_SECONDS})
    path = f"reconciliations/{started.body['data']['id']}"
    assert wait_until(lambda: api.call("GET", path).body["data"]["status"] == "failed")
    assert api.call("GET", path).body["data"]["error"] == "ReconciliationIncomplete"
