"""What the runs of ``reconcile_usage`` say of executions that have no report."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import pytest

from amberflo_workflows.operate.executions.model import ExecutionResult, ExecutionSummary, Status
from amberflo_workflows.operate.ledger.reconciliation_runs import PERIOD_PREFIX, ReconciliationRun, read_run

if TYPE_CHECKING:
    from amberflo_workflows.operate.executions.executions import Executions

ARN = "arn:aws:states:eu-west-1:123456789012:execution:ReconcileUsage:"
AT = datetime(2026, 11, 27, tzinfo=UTC)
LAMBDA_CAUSE = json.dumps({"errorMessage": "The ledger cannot be used", "errorType": "LedgerUnavailable"})


@dataclass
class _OneExecution:
    result: ExecutionResult

    def get_result(self, _workflow: str, _name: str) -> ExecutionResult:
        return self.result


def _read(
    status: Status, *, name: str = "r-1", text: str = "{}", output: str | None = None, error: str = "", cause: str = ""
) -> Any:
    summary = ExecutionSummary(f"{ARN}{name}", "reconcile_usage", status, AT)
    return read_run(cast("Executions", _OneExecution(ExecutionResult(summary, text, output, error, cause))), "r-1")


@pytest.mark.parametrize(
    ("status", "error", "cause", "problem"),
    [
        (Status.RUNNING, "", "", ""),
        (Status.TIMED_OUT, "", "", "It did not end in time, and was stopped."),
        (Status.ABORTED, "", "", "It was stopped."),
        (Status.ABORTED, "", "by an operator", "It was stopped. by an operator"),
        (Status.FAILED, "LedgerUnavailable", LAMBDA_CAUSE, "LedgerUnavailable: The ledger cannot be used"),
        (Status.FAILED, "", "", "It failed without an error."),
    ],
)
def test_a_run_without_a_report_says_why(status: Status, error: str, cause: str, problem: str) -> None:
    # Some engines have an output of executions that failed.
    run: ReconciliationRun = _read(status, error=error, cause=cause, output="{}")
    assert (run.problem, run.result, run.is_running) == (problem, None, status is Status.RUNNING)


@pytest.mark.parametrize(
    ("output", "problem"),
    [
        (None, "The output has no report."),
        ("[]", "The output has no report."),
        ('{"statusCode": 400, "body": {"message": "No range"}}', "The request was rejected with 400: No range"),
        ('{"statusCode": 500, "body": 7}', "The request was rejected with 500: no message"),
    ],
)
def test_an_output_without_a_report_is_explained(output: str | None, problem: str) -> None:
    run: ReconciliationRun = _read(Status.SUCCEEDED, output=output)
    assert (run.problem, run.result) == (problem, None)


def test_what_is_compared_is_read_from_the_input() -> None:
    hours = {"startTimeInSeconds": 3600, "endTimeInSeconds": 7200}
    run = _read(Status.RUNNING, text=json.dumps({**hours, "meterApiName": "m", "tenantId": "t"}))
    assert (run.id, run.range, run.meter, run.tenant, run.is_scheduled) == ("r-1", (3600, 7200), "m", "t", False)
    scheduled = _read(Status.RUNNING, text='{"schedule": {"hours": 24, "time": "2026-11-27T15:00:00Z"}}')
    assert (scheduled.range, scheduled.meter, scheduled.is_scheduled) == (None, "", True)


@pytest.mark.parametrize(
    ("name", "text", "started_by"),
    [
        ("r-1", "{}", "by hand"),
        ("r-1", '{"schedule": {"hours": 24, "time": "2026-11-27T15:00:00Z"}}', "by schedule"),
        (f"{PERIOD_PREFIX}2026-11", "{}", "by close_period"),
    ],
)
def test_who_started_a_run(name: str, text: str, started_by: str) -> None:
    assert _read(Status.RUNNING, name=name, text=text).started_by == started_by


@pytest.mark.parametrize("text", ["", "7", "[]", '{"schedule": 1}', '{"startTimeInSeconds": "now"}', "[" * 100_000])
def test_an_execution_with_any_input_can_be_listed(text: str) -> None:
    run = _read(Status.RUNNING, text=text)
    assert (run.request, run.range, run.meter, run.tenant, run.is_scheduled) == (None, None, "", "", False)
