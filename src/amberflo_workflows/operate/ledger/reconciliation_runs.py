"""The runs of ``reconcile_usage``: what each one was asked to compare, and what became of it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import msgspec
from msgspec import Raw, Struct

from amberflo_workflows.core.ledger.requests import ReconciliationRequest, Schedule, ScheduledRequest
from amberflo_workflows.operate.executions.error_causes import parse_error_message
from amberflo_workflows.operate.executions.executions import Executions
from amberflo_workflows.operate.executions.model import ExecutionResult, ExecutionSummary, Status
from amberflo_workflows.operate.executions.reader import NoSuchExecution
from amberflo_workflows.operate.ledger.reconciliation import Reconciliation

WORKFLOW: Final = "reconcile_usage"
# How the workflow close_period names the reconciliation of a period: tasks.start_period.
PERIOD_PREFIX: Final = "period-"
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,80}")
_Type = TypeVar("_Type")


class _ErrorBody(Struct):
    message: str = ""


class _Data(Struct):
    data: Reconciliation


class _Output(Struct, rename="camel"):
    """The output of an execution that succeeded; the body is that of the API's response."""

    status_code: int
    body: Raw


@dataclass(frozen=True)
class ReconciliationRun:
    """An execution of ``reconcile_usage``.

    ``request`` is ``None`` if the input is neither a request nor a schedule; ``result`` is ``None`` unless there is a
    report; ``problem`` says why there is none although the execution has ended.
    """

    summary: ExecutionSummary
    request: ReconciliationRequest | Schedule | None
    result: Reconciliation | None
    problem: str

    @property
    def id(self) -> str:
        """The id of the reconciliation: the name of the execution."""
        return self.summary.name

    @property
    def is_running(self) -> bool:
        """Whether its result is still to come."""
        return self.summary.status is Status.RUNNING

    @property
    def is_scheduled(self) -> bool:
        """Whether a schedule started it."""
        return isinstance(self.request, Schedule)

    @property
    def started_by(self) -> str:
        """Who started it, in words."""
        if self.is_scheduled:
            return "by schedule"
        return "by close_period" if self.id.startswith(PERIOD_PREFIX) else "by hand"

    @property
    def range(self) -> tuple[int, int] | None:
        """The hours from the first second to the last, in epoch seconds. A schedule's are known from the result."""
        source = self.result or (self.request if isinstance(self.request, ReconciliationRequest) else None)
        return (source.start_time_in_seconds, source.end_time_in_seconds) if source else None

    @property
    def meter(self) -> str:
        """The only meter that is compared; empty if all are."""
        return (isinstance(self.request, ReconciliationRequest) and self.request.meter_api_name) or ""

    @property
    def tenant(self) -> str:
        """The only tenant that is compared; empty if all are."""
        return (isinstance(self.request, ReconciliationRequest) and self.request.tenant_id) or ""


def list_runs(executions: Executions, limit: int) -> Sequence[ReconciliationRun]:
    """List the latest runs, newest first."""
    return [_build_run(result) for result in executions.list_results(WORKFLOW, limit)]


def read_run(executions: Executions, reconciliation: str) -> ReconciliationRun:
    """Read the run of a reconciliation. Raises :class:`NoSuchExecution`."""
    if not _ID.fullmatch(reconciliation):
        raise NoSuchExecution(f"There is no reconciliation '{reconciliation}'.")
    try:
        return _build_run(executions.get_result(WORKFLOW, reconciliation))
    except NoSuchExecution:
        raise NoSuchExecution(f"There is no reconciliation '{reconciliation}'.") from None


def _build_run(execution: ExecutionResult) -> ReconciliationRun:
    if execution.summary.status is Status.SUCCEEDED:
        result, problem = _read_output(execution.output or "")
    else:
        result, problem = None, _describe_failure(execution)
    return ReconciliationRun(execution.summary, _read_request(execution.input or ""), result, problem)


def _read_request(text: str) -> ReconciliationRequest | Schedule | None:
    scheduled = _decode(text, ScheduledRequest)
    return scheduled.schedule if scheduled else _decode(text, ReconciliationRequest)


def _read_output(text: str) -> tuple[Reconciliation | None, str]:
    """Return the result, or what the response says instead."""
    output = _decode(text, _Output)
    if output is None:
        return None, "The output has no report."
    data = _decode(output.body, _Data)
    if data:
        return data.data, ""
    error = _decode(output.body, _ErrorBody)
    message = error.message if error else ""
    return None, f"The request was rejected with {output.status_code}: {message or 'no message'}"


def _describe_failure(execution: ExecutionResult) -> str:
    """Say in words how an execution ended that has no output; empty if it runs."""
    reason = ": ".join(filter(None, (execution.error, parse_error_message(execution.cause))))
    match execution.summary.status:
        case Status.RUNNING:
            return ""
        case Status.TIMED_OUT:
            return "It did not end in time, and was stopped."
        case Status.ABORTED:
            return f"It was stopped. {reason}".strip()
        case _:
            return reason or "It failed without an error."


def _decode(text: str | Raw, type_: type[_Type]) -> _Type | None:
    """Decode JSON; ``None`` if it is of another type, since anybody can start an execution with any input."""
    try:
        return msgspec.json.decode(text, type=type_)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
