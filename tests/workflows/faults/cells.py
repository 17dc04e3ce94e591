"""The cells of a line: an error that strikes on the first try, on the first two, and so on, and on all."""

import contextlib
import json
import os
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
import requests

from amberflo_workflows.local.system import SECRET, System
from tests.conftest import sandbox_of
from tests.entrypoints.calls import METER, Api
from tests.workflows.asl import states
from tests.workflows.faults.table import Line, lines
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
    "fetch_usage": ("GET", "usage/{id}", None),
    "cancel_usage": ("DELETE", "usage", {"id": "r", "meterApiName": "api-calls", "ingestionTimeRange": WINDOW}),
    "ingest_usage": ("POST", "ingest", {"records": [USAGE, {**USAGE, "tenantId": "b"}]}),
}
# The call that a state makes to Amberflo, the first one if it makes several.
CALLS = {
    "CreateMeter": ("POST", "/meters"),
    "GetMeter": ("GET", "/meters/*"),
    "ListMeters": ("GET", "/meters"),
    "ReadMeter": ("GET", "/meters/*"),
    "UpdateMeter": ("PUT", "/meters"),
    "DeprecateMeter": ("PUT", "/meters"),
    "DeleteMeter": ("DELETE", "/meters/*"),
    "LookUpMeter": ("GET", "/meters/*"),
    "FetchUsage": ("POST", "/usage"),
    "CancelUsage": ("POST", "/ingest-snapshot/*"),
    "SendForCaller": ("POST", "/ingest"),
    "SendInBackground": ("POST", "/ingest"),
    "SendUsage": ("POST", "/ingest"),
    "SendOneByOne": ("POST", "/ingest"),
    "CreateCustomer": ("GET", "/customers/"),
    "OffboardCustomer": ("GET", "/customers/"),
    "SendRange": ("POST", "/ingest"),
}
# Records are sent one by one when all at once were refused.
BATCH_REFUSED = {"kind": "status", "status": 400, "path": "/ingest", "times": 1}


class Cell(NamedTuple):
    """``struck`` of the line's tries fail."""

    line: Line
    struck: int

    @property
    def is_lasting(self) -> bool:
        return self.struck == self.line.tries

    def __str__(self) -> str:
        return f"{self.line} on {'all' if self.is_lasting else self.struck} of {self.line.tries}"


class Outcome(NamedTuple):
    """How an execution ended, what its caller was told, and its answer; ``error`` of one that succeeded is empty."""

    error: str
    http: int | None
    body: Any


def cells(*struck_by: str) -> list[Cell]:
    """The cells that are had in one of these ways, without those that are left to the soak."""
    made = []
    for line in lines():
        if line.struck_by in struck_by and (SOAK or line.run in {"all", "last"}):
            first = 1 if SOAK or line.run == "all" else line.tries
            made += [Cell(line, struck) for struck in range(first, line.tries + 1) if _is_told(Cell(line, struck))]
    return made


def _is_told(cell: Cell) -> bool:
    return cell.is_lasting or cell.line.heals is not None


def fault(cell: Cell, **fault: Any) -> list[dict[str, Any]]:
    """The sandbox's faults for a cell; if it strikes on all tries it lasts."""
    method, path = CALLS[cell.line.state]
    times = {} if cell.is_lasting else {"times": cell.struck * cell.line.calls_a_try}
    before = [BATCH_REFUSED] if cell.line.state in {"SendUsage", "SendOneByOne"} else []
    return [*before, {"method": method, "path": path, **fault, **times}]


def start(system: System, cell: Cell, faults: list[dict[str, Any]], request: Any = None) -> Outcome:
    """Run the cell's workflow the way that its users do; without a ``request`` of the test's own with a good one."""
    line = cell.line
    if line.http is None:
        sandbox_of(system).clear_requests()
        sandbox_of(system).set_faults(faults)
        execution = Runner(system).run(line.workflow, request or good_input(system, line.workflow))
        return Outcome(execution.error, None, execution.output)
    method, path, body = ROUTES[line.workflow]
    path = path.replace("{id}", meter(system)) if "{id}" in path else path
    sandbox_of(system).clear_requests()
    sandbox_of(system).set_faults(faults)
    answer = Api(system).call(method, path, request or body)
    ended = system.client("stepfunctions").describe_execution(executionArn=answer.headers["x-execution-arn"])
    return Outcome(ended.get("error", ""), answer.status, answer.body)


def meter(system: System) -> str:
    """A meter that is there, by its id; made without a workflow."""
    secret = system.client("secretsmanager").get_secret_value(SecretId=SECRET)
    key = json.loads(secret["SecretString"])["apiKey"]
    made = requests.post(f"{system.amberflo_url}/meters", json=METER, headers={"X-API-KEY": key}, timeout=10)
    return str(made.json()["id"])


def good_input(system: System, workflow: str) -> Any:
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    if workflow == "ingest_usage":
        sent = {"eventId": str(uuid.uuid4()), "eventTime": moment, "usage": USAGE}
        return {"usages": [{**sent, "index": index} for index in range(2)]}
    if workflow == "backfill_usage":
        bucket, key = system.outputs["BackfillBucketName"], f"{uuid.uuid4()}.ndjson"
        system.client("s3").put_object(Bucket=bucket, Key=key, Body=json.dumps({**USAGE, "time": moment}).encode())
        return {"bucket": bucket, "key": key}
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "onboardingRequest" if workflow == "create_customer" else "offboardingRequest",
        "source": "controlPlaneEventSource",
        "time": moment,
        "detail": {"tenantId": f"tenant-{uuid.uuid4()}"},
    }


def told_calls(cell: Cell) -> int | None:
    """Calls to Amberflo by the cell's line: for each try that is not needed any more it is a try's calls less."""
    line = cell.line
    return line.lasts if cell.is_lasting else (line.heals or 0) - (line.tries - 1 - cell.struck) * line.calls_a_try


def made_calls(system: System) -> int:
    """Calls to Amberflo; those that were struck never got to where they are counted."""
    sandbox = sandbox_of(system)
    reached: int = sandbox.requests()["total"]
    return reached + sum(int(fault["struck"]) for fault in sandbox.faults())


def check(system: System, cell: Cell, outcome: Outcome) -> None:
    """Hold an outcome to the cell's line."""
    line = cell.line
    succeeds = not cell.is_lasting or line.ends_in == "succeeds"
    http = line.http if line.http is None or not succeeds else 201 if line.workflow == "create_meter" else 200
    found = (outcome.error or "succeeds", outcome.http, made_calls(system))
    assert found == ("succeeds" if succeeds else line.ends_in, http, told_calls(cell)), outcome.body


@contextlib.contextmanager
def changed(system: System, cell: Cell, change: Callable[[dict[str, Any]], Any]) -> Iterator[None]:
    """The deployed machine with the cell's state changed, until the end of the ``with`` block."""
    client, arn = system.client("stepfunctions"), system.state_machine_arns[cell.line.workflow]
    deployed = client.describe_state_machine(stateMachineArn=arn)["definition"]
    machine = json.loads(deployed)
    change(next(state.body for state in states(machine) if state.name == cell.line.state))
    client.update_state_machine(stateMachineArn=arn, definition=json.dumps(machine))
    try:
        yield
    finally:
        client.update_state_machine(stateMachineArn=arn, definition=deployed)


def parametrized(*struck_by: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("cell", cells(*struck_by), ids=str)
