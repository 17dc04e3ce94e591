import base64
import json
import time
import urllib.parse
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from amberflo_workflows.local.deploy import put_secret
from amberflo_workflows.local.system import SECRET, System, running_system
from tests.conftest import sandbox_of
from tests.entrypoints.calls import Api
from tests.system.trace import usages

pytestmark = pytest.mark.system

COUNT = 2_000
METERS = ("context-tokens", "generated-tokens")
KEY = "k3y-THAT/must+not leak="


def _put(system: System, details: list[Any]) -> None:
    events = system.client("events")
    for start in range(0, len(details), 10):
        entries = [
            {
                "EventBusName": system.outputs["EventBusName"],
                "Source": "applicationPlaneEventSource",
                "DetailType": ("ingestUsage", "sbt_aws_ingestUsage")[start % 20 // 10],
                "Detail": json.dumps(detail),
            }
            for detail in details[start : start + 10]
        ]
        assert events.put_events(Entries=entries)["FailedEntryCount"] == 0


def _expected(given: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    sums: dict[str, Counter[str]] = {meter: Counter() for meter in METERS}
    for usage in given:
        sums[usage["meterApiName"]][usage["tenantId"]] += usage["meterValue"]
    return {meter: dict(counted) for meter, counted in sums.items()}


def _fetched(api: Api, ids: dict[str, str], *, by_name: bool) -> dict[str, dict[str, float]]:
    found = {}
    for meter, meter_id in ids.items():
        name = f"&meterApiName={meter}" if by_name else ""
        start = int(time.time()) - 3 * 86_400
        answer = api.call("GET", f"usage/{meter_id}?groupBy=customerId&startTimeInSeconds={start}{name}")
        groups = answer.body["data"]["clientMeters"]
        found[meter] = {group["group"]["groupInfo"]["customerId"]: group["groupValue"] for group in groups}
    return found


def _wait_for(api: Api, ids: dict[str, str], expected: dict[str, dict[str, int]]) -> None:
    deadline = time.monotonic() + 180
    while _fetched(api, ids, by_name=True) != expected and time.monotonic() < deadline:
        time.sleep(0.5)
    assert _fetched(api, ids, by_name=True) == expected
    assert _fetched(api, ids, by_name=False) == expected


def _everything_kept(system: System, folder: Path) -> dict[str, str]:
    """All text in which a key could be lying about, by where it was found."""
    sfn, logs, sqs = system.client("stepfunctions"), system.client("logs"), system.client("sqs")
    kept = {}
    for name, arn in system.state_machine_arns.items():
        kept[f"machine {name}"] = str(sfn.describe_state_machine(stateMachineArn=arn))
        for page in sfn.get_paginator("list_executions").paginate(stateMachineArn=arn):
            for execution in page["executions"]:
                described = sfn.describe_execution(executionArn=execution["executionArn"])
                history = sfn.get_execution_history(executionArn=execution["executionArn"], maxResults=1000)
                kept[execution["executionArn"]] = f"{described} {history}"
    for function in system.client("lambda").list_functions(MaxItems=50)["Functions"]:
        kept[f"function {function['FunctionName']}"] = str(function)
    for group in logs.describe_log_groups()["logGroups"]:
        events = logs.filter_log_events(logGroupName=group["logGroupName"])["events"]
        kept[f"log {group['logGroupName']}"] = "\n".join(event["message"] for event in events)
    for queue in ("UsageQueueUrl", "UsageDeadLetterQueueUrl"):
        kept[queue] = str(sqs.receive_message(QueueUrl=system.outputs[queue], MaxNumberOfMessages=10))
    kept["rejected"] = str(system.client("dynamodb").scan(TableName=system.outputs["RejectedTableName"]))
    kept["stack"] = str(system.client("cloudformation").get_template(StackName="AmberfloMetering"))
    for path in [*folder.glob("*.log"), *folder.glob("*/*.log"), *folder.glob("cdk.out/*.json")]:
        kept[str(path.name)] = path.read_text(errors="replace")
    return kept


def test_the_main_job_from_nothing_counts_every_usage_and_shows_the_key_nowhere(tmp_path: Path) -> None:
    given = usages(COUNT)
    expected = _expected(given)
    with running_system(tmp_path) as system:
        put_secret(system.emulator, SECRET, {"apiKey": KEY})
        sandbox_of(system).set_keys([KEY])
        api = Api(system)
        ids = {
            meter: api.call(
                "POST", "meters", {"label": meter, "meterApiName": meter, "meterType": "sum_of_all_usage"}
            ).body["data"]["id"]
            for meter in METERS
        }
        singles, together = given[:200], given[200:]
        details: list[Any] = [*singles, *({"records": together[at : at + 50]} for at in range(0, len(together), 50))]
        # Some events come twice, as EventBridge may have it.
        _put(system, [*details, *details[::20]])
        _wait_for(api, ids, expected)

        time.sleep(1.1)
        begin = int(time.time())
        now = begin * 1000
        late = [{**usage, "uniqueId": f"late-{usage['uniqueId']}", "meterTimeInMillis": now} for usage in given[:100]]
        _put(system, [{"records": late}])
        _wait_for(api, ids, _expected(given + late))
        window = {"startTimeInSeconds": begin, "endTimeInSeconds": int(time.time()) + 1}
        for meter in METERS:
            rule = {"id": f"undo-{meter}", "meterApiName": meter, "ingestionTimeRange": window}
            assert api.call("DELETE", "usage", rule).status == 200
        _wait_for(api, ids, expected)

        assert api.call("GET", f"usage/{ids['context-tokens']}?groupBy=nothing").status == 400
        sandbox_of(system).set_faults([{"kind": "wrong_key", "times": 4}])
        assert api.call("GET", "meters").status == 502
        assert api.call("GET", "meters").status == 502
        sandbox_of(system).clear_faults()
        kept = _everything_kept(system, tmp_path)

    assert len([place for place in kept if ":express:" in place or ":execution:" in place]) > 30
    assert any("amberflo call" in text for place, text in kept.items() if place.startswith("log "))
    forms = [KEY, base64.b64encode(KEY.encode()).decode(), urllib.parse.quote(KEY), json.dumps(KEY)[1:-1]]
    assert [place for place, text in kept.items() if any(form in text for form in forms)] == []
    assert api.token not in "".join(text for place, text in kept.items() if place.startswith("log "))
