"""A stand-in for what the workflows call: it raises the errors of a scenario, and then returns what a step returns."""

import io
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from amberflo_workflows.tasks import backfill_sum_up, sum_up_replay
from tests.entrypoints.calls import METER
from tests.workflows.second_engine.definitions import FUNCTION

# What a function returns for what a state passes to it.
Output = Callable[[dict[str, Any]], Any]

_METER = {"statusCode": 200, "body": {"data": {**METER, "id": "meter", "lockingStatus": "open"}}}
_ACCEPTED: dict[str, Any] = {"statusCode": 200, "body": {"data": {"id": "id"}}}


def send_usages(event: dict[str, Any], *rejected: int) -> dict[str, Any]:
    """Return the outcome of the usages: those whose place in the chunk is in ``rejected`` are rejected."""
    request = event["request"]
    usages = list(enumerate(request["usages"], request.get("first", 0)))
    members = {"index": 0, "uniqueId": "id", "tenantId": "t", "meterApiName": "m", "reason": "none"}
    return {
        "counted": [usage["eventId"] for place, usage in usages if place not in rejected],
        "rejected": [{"id": f"id{place}", "place": place, **members} for place, _ in usages if place in rejected],
        "rejectedPlaces": [place for place, _ in usages if place in rejected],
    }


_REPORT: dict[str, Any] = {
    "id": "id",
    "startTimeInSeconds": 0,
    "endTimeInSeconds": 3600,
    "outcomes": {},
    "report": {"bucket": "bucket", "prefix": "reconciliations/id/"},
}


def write_report(event: dict[str, Any], *, has_drift: bool = False) -> dict[str, Any]:
    """Return the report of a reconciliation, or that a part of it failed."""
    if not all(isinstance(part, dict) and "outcomes" in part for part in event["parts"]):
        return {"failed": 1}
    return {"statusCode": 200, "body": {"data": {**_REPORT, "hasDrift": has_drift}}}


# By function, what it returns if nothing fails.
OUTPUTS: dict[str, Output] = {
    "ResolveApiKey": lambda event: {"secretId": "secret", "versionId": "1", "refreshed": event["refresh"]},
    "LockMeter": lambda _event: _ACCEPTED,
    "CreateMeter": lambda _event: {**_METER, "statusCode": 201},
    "GetMeter": lambda _event: _METER,
    "ListMeters": lambda _event: {"statusCode": 200, "body": {"data": []}},
    "ListCustomers": lambda _event: {"statusCode": 200, "body": {"data": []}},
    "GetCustomer": lambda _event: {"statusCode": 200, "body": {"data": {"customerId": "a"}}},
    "UpdateMeter": lambda _event: _METER,
    "DeleteMeter": lambda _event: _ACCEPTED,
    "ListUsage": lambda _event: {"statusCode": 200, "body": {"data": []}},
    "FetchUsage": lambda _event: {"statusCode": 200, "body": {"data": {"clientMeters": []}}},
    "ReadRecords": lambda _event: {"statusCode": 200, "body": {"data": [], "total": 0, "next_token": None}},
    "CancelUsage": lambda _event: _ACCEPTED,
    "WriteCancellation": lambda _event: {"entries": 1},
    "SendUsages": send_usages,
    "WriteReceipt": lambda _event: {"entries": 2},
    "CreateCustomer": lambda _event: _ACCEPTED,
    "DeleteCustomer": lambda _event: _ACCEPTED,
    "BackfillPlan": lambda _event: {"object": {}, "layout": {}, "ranges": [{"begin": 0, "end": None}]},
    "BackfillSendRange": lambda _event: {"accepted": 1, "rejected": 0, "failed": 0},
    "BackfillSumUp": lambda event: backfill_sum_up.handler(event, None),
    "ListUnsorted": lambda _event: {"request": {}, "batches": [{"after": "", "last": "a"}]},
    "SortBatch": lambda _event: {"receipts": 1, "entries": 1},
    "PlanComparison": lambda _event: {"parts": [{"start": 0, "end": 3600}]},
    "CompareHours": lambda _event: {"outcomes": {}, "metersWithoutSum": []},
    "WriteReport": write_report,
    "PlanReplay": lambda _event: {"request": {"dryRun": False}, "slices": [{"start": 0, "end": 3600}]},
    "SendUsagesAgain": lambda _event: {"sent": 1, "rejected": 0, "cancelled": 0, "tooOld": 0, "isSent": True},
    "SumUpReplay": lambda event: sum_up_replay.handler(event, None),
    "StartPeriod": lambda _event: {"period": {}, "reconciliation": "period-id"},
    "CheckPeriod": lambda _event: {"isRunning": False, "detailType": "periodReady", "response": _ACCEPTED},
}


@dataclass
class StandIn:
    """Raises the errors of each state in ``errors``, one per attempt; then ``outputs``, by state, have its output.

    Of the items of a map, only the first one fails, and only its attempts count. ``functions`` has the function that
    each state invokes.
    """

    functions: dict[str, str]
    errors: dict[str, Iterable[str]]
    outputs: dict[str, Output]
    attempts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._left = {state: iter(errors) for state, errors in self.errors.items()}
        self._lock = threading.Lock()

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803 - AWS's names
        state, event = FunctionName.removeprefix(FUNCTION), json.loads(Payload)
        request = event.get("request")
        is_first = not isinstance(request, dict) or request.get("first", 0) == 0
        if is_first and (error := self._next_error(state)):
            report = json.dumps({"errorType": error, "errorMessage": "scenario"}).encode()
            return {"StatusCode": 200, "FunctionError": "Unhandled", "Payload": io.BytesIO(report)}
        output = (self.outputs.get(state) or OUTPUTS[self.functions[state]])(event)
        return {"StatusCode": 200, "Payload": io.BytesIO(json.dumps(output).encode())}

    def put_item(self, **request: Any) -> dict[str, Any]:
        return self._call_service(request["TableName"], "PutItem")

    def delete_item(self, **request: Any) -> dict[str, Any]:
        return self._call_service(request["TableName"], "DeleteItem")

    def send_message(self, **request: Any) -> dict[str, Any]:
        return self._call_service(request["QueueUrl"], "SendMessage")

    def put_events(self, **request: Any) -> dict[str, Any]:
        error = self._next_error(request["Entries"][0]["EventBusName"])
        return {"FailedEntryCount": 1 if error == "EventBridge.FailedEntry" else 0}

    def _call_service(self, state: str, operation: str) -> dict[str, Any]:
        if error := self._next_error(state):
            response: Any = {"HTTPStatusCode": 400, "RequestId": "request"}
            code = error.partition(".")[2]
            raise ClientError({"Error": {"Code": code, "Message": ""}, "ResponseMetadata": response}, operation)
        return {"ResponseMetadata": {}}

    def _next_error(self, state: str) -> str | None:
        """Count an attempt and return its error, if it has one. A timeout is raised as the interpreter does it."""
        with self._lock:
            self.attempts[state] += 1
            error = next(self._left.get(state, iter(())), None)
        if error == "States.Timeout":
            raise TimeoutError
        return error
