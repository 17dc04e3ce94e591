"""``close_period`` on the emulator: what blocks a period, and that nothing else does."""

import json
import time
import uuid
from datetime import UTC, datetime, timedelta
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
# Two hours that have ended.
PERIOD = {"startTimeInSeconds": NOW - 3 * HOUR_SECONDS, "endTimeInSeconds": NOW - HOUR_SECONDS}


def _usage(hours_ago: int, **changes: Any) -> dict[str, Any]:
    millis = (NOW - hours_ago * HOUR_SECONDS) * 1000
    own = {"uniqueId": str(uuid.uuid4()), "meterTimeInMillis": millis}
    return {"tenantId": "acme", "meterApiName": "api-calls", "meterValue": 2, **own, **changes}


def _report(system: System, *usages: dict[str, Any]) -> None:
    assert Api(system).call("POST", "ingest", {"records": list(usages)}).status == 200


def _close(runner: Runner, request: Any = PERIOD) -> Any:
    execution = runner.run("close_period", request)
    assert execution.error == "", execution.cause
    return execution.output


def _list_reasons(runner: Runner, request: Any = PERIOD) -> dict[str, int]:
    data = _close(runner, request)["body"]["data"]
    assert data["isReady"] is not bool(data["reasons"])
    return {reason["code"]: reason["count"] for reason in data["reasons"]}


def test_a_period_is_ready_whatever_happens_after_it(runner: Runner) -> None:
    _report(runner.system, _usage(2), _usage(3), _usage(0), _usage(0, meterValue="two"))
    assert _list_reasons(runner) == {}


def test_rejected_usage_of_the_period_blocks_it(runner: Runner) -> None:
    _report(runner.system, _usage(2), _usage(2, meterValue="two"), _usage(3, meterApiName="no-such-meter"))
    assert _list_reasons(runner) == {"rejected": 2}


def test_drift_blocks_a_period(runner: Runner) -> None:
    system = runner.system
    secret = json.loads(system.client("secretsmanager").get_secret_value(SecretId=SECRET)["SecretString"])
    record = {"customerId": "acme", "meterApiName": "api-calls", "meterValue": 1, "uniqueId": "x", "dimensions": {}}
    requests.post(
        f"{system.amberflo_url}/ingest",
        json=[{**record, "meterTimeInMillis": (NOW - 2 * HOUR_SECONDS) * 1000}],
        headers={"X-API-KEY": secret["apiKey"]},
        timeout=10,
    ).raise_for_status()
    assert _list_reasons(runner) == {"drift": 1}


def test_dead_events_block_a_period(runner: Runner) -> None:
    url = runner.system.outputs["UsageDeadLetterQueueUrl"]
    runner.system.client("sqs").send_message(QueueUrl=url, MessageBody="{}")
    assert _list_reasons(runner) == {"dead": 1}


def test_events_in_the_queue_block_a_period_unless_all_are_from_after_it(runner: Runner) -> None:
    system = runner.system
    url = system.outputs["UsageQueueUrl"]
    # Its consumer does not receive it during the test.
    system.client("sqs").send_message(QueueUrl=url, MessageBody="{}", DelaySeconds=900)
    # CloudWatch has no age of it yet.
    assert _list_reasons(runner) == {"queued": 1}
    # The latest age counts. Each has a minute of its own, since the largest of a minute is read.
    for minutes_ago, age_seconds, expected in ((4, 1, {}), (3, 24 * HOUR_SECONDS, {"queued": 1}), (2, 1, {})):
        _put_age(system, url.rpartition("/")[2], age_seconds, minutes_ago)
        assert _list_reasons(runner) == expected


def _put_age(system: System, queue: str, seconds: int, minutes_ago: int) -> None:
    """Put the age of the oldest message of a queue, as SQS does on AWS."""
    value = {
        "MetricName": "ApproximateAgeOfOldestMessage",
        "Dimensions": [{"Name": "QueueName", "Value": queue}],
        "Timestamp": datetime.now(UTC) - timedelta(minutes=minutes_ago),
        "Value": seconds,
    }
    system.client("cloudwatch").put_metric_data(Namespace="AWS/SQS", MetricData=[value])


def test_a_period_that_is_not_over_is_not_ready(runner: Runner) -> None:
    # A day ahead, since the hour may end during the tests.
    request = {"startTimeInSeconds": NOW, "endTimeInSeconds": NOW + 24 * HOUR_SECONDS}
    assert _list_reasons(runner, request) == {"notOver": 1}


def test_a_reconciliation_that_fails_blocks_a_period(runner: Runner) -> None:
    sandbox_of(runner.system).set_faults([{"kind": "status", "status": 401, "path": "/meters"}])
    assert _list_reasons(runner) == {"notReconciled": 1}


def test_an_invalid_period_is_a_400(runner: Runner) -> None:
    output = _close(runner, {"month": "soon"})
    assert (output["statusCode"], output["body"]["details"][0]["field"]) == (400, "month")


def test_the_outcome_is_an_event_on_the_bus(runner: Runner) -> None:
    system = runner.system
    events, sqs, bus = system.client("events"), system.client("sqs"), system.outputs["EventBusName"]
    name = f"period-{uuid.uuid4()}"
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = json.dumps({"detail-type": ["periodReady", "periodBlocked"]})
    events.put_rule(Name=name, EventBusName=bus, EventPattern=pattern)
    events.put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": "queue", "Arn": arn}])
    _close(runner)
    _report(system, _usage(2, meterValue="two"))
    data = _close(runner)["body"]["data"]
    received: list[Any] = []

    def receive() -> bool:
        for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
            received.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return len(received) == 2

    assert wait_until(receive)
    by_type = {event["detail-type"]: event["detail"] for event in received}
    assert by_type["periodReady"]["isReady"] is True
    assert by_type["periodBlocked"] == data
    events.remove_targets(Rule=name, EventBusName=bus, Ids=["queue"])
    events.delete_rule(Name=name, EventBusName=bus)
    sqs.delete_queue(QueueUrl=queue)


def test_the_api_and_its_reconciliation(system: System) -> None:
    api = Api(system)
    started = api.call("POST", "periods", PERIOD)
    assert started.status == 202
    path = f"periods/{started.body['data']['id']}"
    assert wait_until(lambda: api.call("GET", path).body["data"]["status"] == "succeeded")
    result = api.call("GET", path).body["data"]["result"]
    assert result["isReady"] is True
    assert api.call("GET", f"reconciliations/{result['reconciliation']}").body["data"]["status"] == "succeeded"
    assert api.call("POST", "periods", {"month": "2026"}).status == 400
    assert api.call("GET", "periods/no-such").status == 404
