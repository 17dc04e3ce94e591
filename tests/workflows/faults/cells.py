"""The cells of a row: the error on the first attempt, on the first two, and so on up to all of them."""

import contextlib
import json
import os
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec
import pytest
import requests
from msgspec import Raw

from amberflo_workflows.core.ledger.layout import HOUR_SECONDS, format_folder, start_of_hour
from amberflo_workflows.core.ledger.receipt import RECEIPTS_PREFIX, Entry, encode_receipt
from amberflo_workflows.core.usage_record import build_record
from amberflo_workflows.local.system import SECRET, System
from tests.conftest import sandbox_of
from tests.entrypoints.calls import METER, Api
from tests.workflows.asl import iter_states
from tests.workflows.faults.matrix import MatrixRow, load_rows
from tests.workflows.payloads import check_history, fetch_history
from tests.workflows.runner import Runner

SOAK = bool(os.environ.get("METERING_SOAK"))
WINDOW = {"startTimeInSeconds": 1, "endTimeInSeconds": 2}
USAGE = {"tenantId": "a", "meterApiName": "x", "meterValue": 1}
ROUTES = {
    "create_meter": ("POST", "meters", METER),
    "get_meter": ("GET", "meters/{id}", None),
    "list_meters": ("GET", "meters", None),
    "update_meter": ("PUT", "meters/{id}", {"label": "new"}),
    "delete_meter": ("DELETE", "meters/{id}", None),
    "list_customers": ("GET", "customers", None),
    "get_customer": ("GET", "customers/t1", None),
    "list_usage": ("GET", "usage", None),
    "fetch_usage": ("GET", "usage/{id}", None),
    "list_records": ("GET", "usage/{id}/records?tenantId=a&startTimeInSeconds=0&endTimeInSeconds=1", None),
    "cancel_usage": ("DELETE", "usage", {"id": "r", "meterApiName": "api-calls", "ingestionTimeRange": WINDOW}),
    "ingest_usage": ("POST", "ingest", {"records": [USAGE, {**USAGE, "tenantId": "b"}]}),
}
# The call that a state makes to Amberflo, the first one if it makes several.
CALLS = {
    "CreateMeter": ("POST", "/meters"),
    "GetMeter": ("GET", "/meters/*"),
    "ListMeters": ("GET", "/meters"),
    "ListCustomers": ("GET", "/customers"),
    "GetCustomer": ("GET", "/customers/"),
    "ReadMeter": ("GET", "/meters/*"),
    "UpdateMeter": ("PUT", "/meters"),
    "DeprecateMeter": ("PUT", "/meters"),
    "DeleteMeter": ("DELETE", "/meters/*"),
    "LookUpMeter": ("GET", "/meters/*"),
    "ListUsage": ("GET", "/usage/all"),
    "FetchUsage": ("POST", "/usage"),
    "CancelUsage": ("GET", "/meters"),
    "SendForCaller": ("POST", "/ingest"),
    "SendInBackground": ("POST", "/ingest"),
    "SendUsage": ("POST", "/ingest"),
    "SendOneByOne": ("POST", "/ingest"),
    "CreateCustomer": ("GET", "/customers/"),
    "OffboardCustomer": ("GET", "/customers/"),
    "SendRange": ("POST", "/ingest"),
    "SendUsagesAgain": ("POST", "/ingest"),
    "CompareHours": ("GET", "/meters"),
}
# After this, the records are sent one by one.
BATCH_REJECTED = {"kind": "status", "status": 400, "path": "/ingest", "times": 1}


class Cell(NamedTuple):
    """The first ``failures`` attempts of the row fail."""

    row: MatrixRow
    failures: int

    @property
    def is_exhausted(self) -> bool:
        return self.failures == self.row.attempts

    def __str__(self) -> str:
        return f"{self.row} on {'all' if self.is_exhausted else self.failures} of {self.row.attempts}"


class Outcome(NamedTuple):
    """The error of an execution, empty if it succeeded; the status that its caller got, if any; its response."""

    error: str
    http: int | None
    body: Any


def cells(*faults: str) -> list[Cell]:
    """The cells with one of these faults, without those that only the soak runs."""
    selected = []
    for row in load_rows():
        if row.fault in faults and (SOAK or row.run in {"all", "last"}):
            fewest = 1 if SOAK or row.run == "all" else row.attempts
            row_cells = [Cell(row, failures) for failures in range(fewest, row.attempts + 1)]
            selected += [cell for cell in row_cells if cell.is_exhausted or row.recovered is not None]
    return selected


def build_faults(cell: Cell, **fault: Any) -> list[dict[str, Any]]:
    """The sandbox's faults for a cell. If all attempts fail, the fault has no end."""
    method, path = CALLS[cell.row.state]
    times = {} if cell.is_exhausted else {"times": cell.failures * cell.row.calls_per_attempt}
    before = [BATCH_REJECTED] if cell.row.state in {"SendUsage", "SendOneByOne"} else []
    return [*before, {"method": method, "path": path, **fault, **times}]


def start(system: System, cell: Cell, faults: list[dict[str, Any]], request: Any = None) -> Outcome:
    """Run the cell's workflow as its users do, by default with a valid request."""
    row = cell.row
    if row.http is None:
        sandbox_of(system).clear_requests()
        sandbox_of(system).set_faults(faults)
        execution = Runner(system).run(row.workflow, request or build_input(system, row.workflow))
        return Outcome(execution.error, None, execution.output)
    method, path, body = ROUTES[row.workflow]
    meter_id = create_meter(system) if "{id}" in path or row.workflow == "cancel_usage" else ""
    path = path.replace("{id}", meter_id)
    if row.workflow == "get_customer":
        _post(system, "customers", {"customerId": "t1", "customerName": "T1"})
    sandbox_of(system).clear_requests()
    sandbox_of(system).set_faults(faults)
    response = Api(system).call(method, path, request or body)
    client, arn = system.client("stepfunctions"), response.headers["x-execution-arn"]
    check_history(fetch_history(client, arn))
    execution = client.describe_execution(executionArn=arn)
    return Outcome(execution.get("error", ""), response.status, response.body)


def create_meter(system: System) -> str:
    """Create a meter without a workflow; returns its ID."""
    return str(_post(system, "meters", METER)["id"])


def _post(system: System, path: str, body: Any) -> Any:
    """Create something in the sandbox without a workflow."""
    secret = system.client("secretsmanager").get_secret_value(SecretId=SECRET)
    key = json.loads(secret["SecretString"])["apiKey"]
    return requests.post(f"{system.amberflo_url}/{path}", json=body, headers={"X-API-KEY": key}, timeout=10).json()


def build_input(system: System, workflow: str) -> Any:
    """A valid input of a workflow that no HTTP call starts."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    if workflow == "ingest_usage":
        reported = {"eventId": str(uuid.uuid4()), "eventTime": now, "usage": USAGE}
        return {"usages": [{**reported, "index": index} for index in range(2)]}
    if workflow == "backfill_usage":
        bucket, key = system.outputs["BackfillBucketName"], f"{uuid.uuid4()}.ndjson"
        system.client("s3").put_object(Bucket=bucket, Key=key, Body=json.dumps({**USAGE, "time": now}).encode())
        return {"bucket": bucket, "key": key}
    if workflow == "reconcile_usage":
        # A receipt without an entry, which has to be sorted all the same.
        return _put_receipt(system)
    if workflow == "replay_usage":
        record = msgspec.json.encode(build_record(USAGE, event_id=str(uuid.uuid4()), event_time=now))
        entry = Entry(outcome="counted", time=now, execution_arn="arn", key_version="v", record=Raw(record))
        hour = _put_receipt(system, entry)
        # The hour may have begun after the usage.
        return {**hour, "startTimeInSeconds": hour["startTimeInSeconds"] - HOUR_SECONDS}
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "onboardingRequest" if workflow == "create_customer" else "offboardingRequest",
        "source": "controlPlaneEventSource",
        "time": now,
        "detail": {"tenantId": f"tenant-{uuid.uuid4()}"},
    }


def _put_receipt(system: System, *entries: Entry) -> dict[str, int]:
    """Put a receipt into the ledger, and return the range of this hour."""
    bucket, hour = system.outputs["LedgerBucketName"], start_of_hour(int(time.time()))
    key = f"{format_folder(RECEIPTS_PREFIX, hour)}{uuid.uuid4()}.ndjson.gz"
    system.client("s3").put_object(Bucket=bucket, Key=key, Body=encode_receipt(entries))
    return {"startTimeInSeconds": hour, "endTimeInSeconds": hour + HOUR_SECONDS}


def expected_calls(cell: Cell) -> int | None:
    """Calls to Amberflo by the cell's row, less those of the attempts that are not needed."""
    row = cell.row
    if cell.is_exhausted:
        return row.exhausted
    return (row.recovered or 0) - (row.attempts - 1 - cell.failures) * row.calls_per_attempt


def actual_calls(system: System, workflow: str) -> int:
    """Calls to Amberflo. The sandbox counts a call that a fault ended with the fault, not with the requests.

    Whether a step that sends usage reads the list of meters depends on what its process has cached.
    """
    sandbox, is_cached = sandbox_of(system), workflow in {"ingest_usage", "backfill_usage", "replay_usage"}
    calls = [call for call in sandbox.requests()["counts"] if not (is_cached and call["path"] == "/meters")]
    return sum(int(call["count"]) for call in calls) + sum(int(fault["struck"]) for fault in sandbox.faults())


def check(system: System, cell: Cell, outcome: Outcome) -> None:
    """Compare an outcome with the cell's row."""
    row = cell.row
    succeeds = not cell.is_exhausted or row.ends_in == "succeeds"
    http = row.http if row.http is None or not succeeds else 201 if row.workflow == "create_meter" else 200
    actual = (outcome.error or "succeeds", outcome.http, actual_calls(system, row.workflow))
    assert actual == ("succeeds" if succeeds else row.ends_in, http, expected_calls(cell)), outcome.body


@contextlib.contextmanager
def changed_state(system: System, workflow: str, name: str, change: Callable[[dict[str, Any]], Any]) -> Iterator[None]:
    """Change a state in the deployed state machine until the end of the ``with`` block."""
    client, arn = system.client("stepfunctions"), system.state_machine_arns[workflow]
    deployed = client.describe_state_machine(stateMachineArn=arn)["definition"]
    machine = json.loads(deployed)
    change(next(state.body for state in iter_states(machine) if state.name == name))
    client.update_state_machine(stateMachineArn=arn, definition=json.dumps(machine))
    try:
        yield
    finally:
        client.update_state_machine(stateMachineArn=arn, definition=deployed)


@contextlib.contextmanager
def changed_environment(system: System, task: str, **variables: str) -> Iterator[None]:
    """Change environment variables of the function of a task until the end of the ``with`` block."""
    client = system.client("lambda")
    pages = client.get_paginator("list_functions").paginate()
    (function,) = (item for item in pages.search("Functions[]") if task in item["FunctionName"])
    name, deployed = function["FunctionName"], function["Environment"]["Variables"]
    client.update_function_configuration(FunctionName=name, Environment={"Variables": {**deployed, **variables}})
    try:
        yield
    finally:
        client.update_function_configuration(FunctionName=name, Environment={"Variables": deployed})


def parametrize_cells(*faults: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("cell", cells(*faults), ids=str)
