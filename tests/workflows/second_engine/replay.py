"""The cells of the fault matrix as scenarios for the second engine: every row, also those that are only a rule."""

from collections.abc import Iterable
from functools import partial
from itertools import repeat
from typing import Any, NamedTuple

from amberflo_workflows.entrypoints.api_response import build_response
from amberflo_workflows.entrypoints.workflows import WorkflowResult
from tests.workflows.asl import FILES, iter_states, load_workflow, workflow_name
from tests.workflows.faults.cells import SOAK
from tests.workflows.faults.matrix import MatrixRow
from tests.workflows.second_engine.engine import MotoEngine
from tests.workflows.second_engine.stand_in import Output, StandIn, send_usages, write_report

# An error that no rule names, for the rows of States.ALL.
UNNAMED = "DynamoDB.ResourceNotFoundException"
# A map fails with the error of the state inside it.
_INSIDE_MAPS = {"SendOneByOne": "SendUsage"}
WORKFLOWS = {workflow_name(path): path for path in FILES}
_EVENT_TIME = "2026-01-01T00:00:00Z"
_REJECTED_EVENT = {"statusCode": 400, "body": {}, "rejected": {"id": "id", "reason": "none"}}


class Cell(NamedTuple):
    """The first ``failures`` attempts of the row's state fail with ``error``."""

    row: MatrixRow
    error: str
    failures: int

    @property
    def is_exhausted(self) -> bool:
        return self.failures == self.row.attempts

    def __str__(self) -> str:
        attempts = "all" if self.is_exhausted else self.failures
        return f"{self.row.workflow}.{self.row.state} {self.error} on {attempts} of {self.row.attempts}"


class Outcome(NamedTuple):
    """How often the state was attempted; the error of the execution, or ``succeeds``; the caller's status, if any."""

    attempts: int
    ends_in: str
    http: int | None


class Lead(NamedTuple):
    """What brings an execution to a state: errors and outputs of others; and its end if the state succeeds."""

    errors: dict[str, Iterable[str]]
    outputs: dict[str, Output]
    ends_in: str = "succeeds"


def build_cells(row: MatrixRow) -> list[Cell]:
    """The cells of a row. Of errors that a rule names together, only one recovers, except in the soak."""
    return [
        Cell(row, error, failures)
        for error in sorted(row.errors)
        for failures in range(1 if SOAK or error == min(row.errors) else row.attempts, row.attempts + 1)
    ]


def run(engine: MotoEngine, cell: Cell) -> Outcome:
    row, lead = cell.row, build_lead(cell.row)
    state = _INSIDE_MAPS.get(row.state, row.state)
    error = UNNAMED if cell.error == "States.ALL" else cell.error
    errors = repeat(error) if cell.is_exhausted else [error] * cell.failures
    stand_in = StandIn(list_functions(row.workflow), {**lead.errors, state: errors}, lead.outputs)
    execution = engine.run(WORKFLOWS[row.workflow], build_input(caller_waits=row.http is not None), stand_in)
    output = None if execution.error else execution.output
    response = build_response(WorkflowResult("arn", output, execution.error)) if row.http else None
    return Outcome(stand_in.attempts[state], execution.error or "succeeds", response.status if response else None)


def expected_outcome(cell: Cell) -> Outcome:
    """What the cell's row says."""
    row = cell.row
    if not cell.is_exhausted:
        ends_in = build_lead(row).ends_in
        return Outcome(cell.failures + 1, ends_in, _success_status(row) if ends_in == "succeeds" else row.http)
    if row.error == "States.ALL" and row.run == "above" and row.ends_in not in _list_ends(row.workflow):
        # The row stands for the rows above it: the execution ends in whichever error the state raised.
        return Outcome(row.attempts, UNNAMED, row.http and 500)
    return Outcome(row.attempts, cell.error if row.ends_in == row.error else row.ends_in, row.http)


def _success_status(row: MatrixRow) -> int | None:
    return row.http and (201 if row.workflow == "create_meter" else 200)


def build_lead(row: MatrixRow) -> Lead:
    first = _first_caller(row)
    leads = {
        "RefreshApiKey": Lead({first: ["AmberfloUnauthorized"]}, {}),
        "UnlockMeterAfterError": Lead({first: repeat(row.ends_in)}, {}, row.ends_in),
        "SendUsage": Lead({first: repeat("AmberfloBatchRejected")}, {}),
        "SendOneByOne": Lead({first: repeat("AmberfloBatchRejected")}, {}),
        "SaveRejectedUsage": Lead({}, {first: lambda event: send_usages(event, 0)}),
        "SaveRejectedEvent": Lead({}, {first: lambda _event: _REJECTED_EVENT}),
        "ReportDrift": Lead({}, {"WriteReport": partial(write_report, has_drift=True)}),
        "SendToDeadLetterQueue": Lead({first: repeat(UNNAMED)}, {}, "TenantEventParked"),
    }
    return leads.get(row.state, Lead({}, {}))


def build_input(*, caller_waits: bool) -> Any:
    """An input with what the states of all workflows read from it."""
    usage = {"tenantId": "t", "meterApiName": "m", "meterValue": 1}
    usages = [{"eventId": f"e{i}", "eventTime": _EVENT_TIME, "index": i, "usage": usage} for i in range(2)]
    return {"usages": usages, "callerWaits": caller_waits, "meterId": "meter"}


def list_functions(workflow: str) -> dict[str, str]:
    """By state, the Lambda that it invokes."""
    states = iter_states(load_workflow(WORKFLOWS[workflow]))
    resources = {state.name: str(state.body.get("Resource", "")) for state in states}
    return {
        name: resource.removeprefix("${").removesuffix("FunctionArn}")
        for name, resource in resources.items()
        if resource.endswith("FunctionArn}")
    }


def _first_caller(row: MatrixRow) -> str:
    """The first state that calls Amberflo."""
    if row.workflow == "ingest_usage":
        return "SendInBackground" if row.http is None else "SendForCaller"
    machine = load_workflow(WORKFLOWS[row.workflow])
    callers = [state.name for state in iter_states(machine) if "apiKey.$" in state.body.get("Parameters", {})]
    return callers[0] if callers else ""


def _list_ends(workflow: str) -> set[str]:
    """The errors of the states that end an execution as failed."""
    states = [state.body for state in iter_states(load_workflow(WORKFLOWS[workflow]))]
    return {state["Error"] for state in states if state["Type"] == "Fail" and "Error" in state}
