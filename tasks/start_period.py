"""First step of ``close_period``: reconcile the usage of the period.

Input: ``{"request", "execution": {"id", "name", "startTime"}}``; the request is a period, a month, or a schedule's.
Output: ``{"period", "reconciliation"}``: the request of the reconciliation, and its id; or a 400 response. Raises
``ReconciliationNotStarted``.
"""

import os
from typing import Any

import msgspec
from msgspec import Struct

from amberflo_workflows.core.aws_call import AwsError
from amberflo_workflows.core.connections import NoResponse
from amberflo_workflows.core.executions import STEP_FUNCTIONS, start_execution
from amberflo_workflows.core.initialization import at_initialization
from amberflo_workflows.core.ledger.periods import parse_period
from amberflo_workflows.core.observability import logger
from amberflo_workflows.core.response import StepResponse, validation_error_response
from amberflo_workflows.tasks.reconciliation_step import ReconciliationExecution


class ReconciliationNotStarted(Exception):
    """Step Functions did not start the reconciliation. The workflow tries again."""


class StartPeriod(Struct):
    """The event of this step."""

    request: Any
    execution: ReconciliationExecution


def handler(event: dict[str, Any], _context: object) -> dict[str, Any] | StepResponse:
    step_input = msgspec.convert(event, StartPeriod)
    logger.set_correlation_id(step_input.execution.name)
    try:
        period = parse_period(step_input.request, int(os.environ["RECONCILIATION_LAG_SECONDS"]))
    except msgspec.ValidationError as error:
        return validation_error_response(error)
    # A name of its own, so that a second attempt does not start a second one.
    reconciliation = f"period-{step_input.execution.name}"[:80]
    try:
        start_execution(os.environ["RECONCILE_USAGE_STATE_MACHINE_ARN"], reconciliation, period)
    except (AwsError, NoResponse) as error:
        raise ReconciliationNotStarted(f"Step Functions did not start the reconciliation: {error}") from error
    return {"period": msgspec.to_builtins(period), "reconciliation": reconciliation}


at_initialization(STEP_FUNCTIONS.prepare)
