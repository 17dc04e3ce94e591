"""Whether a period is ready to be invoiced, and if not, why.

Input: ``{"period", "reconciliation", "execution": {"id", "name", "startTime"}}``; the first two are from
``start_period``. Output: ``{"isRunning": true}`` while the reconciliation runs; then ``{"isRunning": false,
"detailType", "response"}`` with the name of the event and a 200 response. Raises ``PeriodNotChecked``.

A period is ready if the reconciliation agrees, no usage of it was rejected, no event is dead, and the queue holds none
that is older than its end.
"""

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypedDict

import msgspec
from msgspec import Struct

from amberflo_workflows.core import aws
from amberflo_workflows.core.aws_call import AwsError
from amberflo_workflows.core.connections import NoResponse
from amberflo_workflows.core.executions import STEP_FUNCTIONS, describe_execution
from amberflo_workflows.core.initialization import at_initialization
from amberflo_workflows.core.ledger.requests import ReconciliationRequest
from amberflo_workflows.core.observability import logger
from amberflo_workflows.core.response import success
from amberflo_workflows.tasks.reconciliation_step import ReconciliationExecution

# CloudWatch has a value of the metric every minute, or every five minutes.
_AGE_WINDOW: Final = timedelta(minutes=15)


class PeriodNotChecked(Exception):
    """Step Functions or CloudWatch could not be read. The workflow tries again."""


class CheckPeriod(Struct):
    """The event of this step."""

    period: ReconciliationRequest
    reconciliation: str
    execution: ReconciliationExecution


class Reason(TypedDict):
    """Why a period is not ready; ``count`` is a number of hours, usages or events."""

    code: str
    count: int
    message: str


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    step_input = msgspec.convert(event, CheckPeriod)
    logger.set_correlation_id(step_input.execution.name)
    try:
        execution = describe_execution(os.environ["RECONCILE_USAGE_STATE_MACHINE_ARN"], step_input.reconciliation)
    except (AwsError, NoResponse) as error:
        raise PeriodNotChecked(f"The reconciliation could not be read: {error}") from error
    if execution["status"] in {"RUNNING", "PENDING_REDRIVE"}:
        return {"isRunning": True}
    result = msgspec.json.decode(execution["output"])["body"]["data"] if execution["status"] == "SUCCEEDED" else None
    reasons = list(_list_reasons(step_input.period, result))
    data = {
        "id": step_input.execution.name,
        "executionArn": step_input.execution.id,
        "startTimeInSeconds": step_input.period.start_time_in_seconds,
        "endTimeInSeconds": step_input.period.end_time_in_seconds,
        "isReady": not reasons,
        "reasons": reasons,
        "reconciliation": step_input.reconciliation,
        "report": result["report"] if result else None,
    }
    name = "periodBlocked" if reasons else "periodReady"
    return {"isRunning": False, "detailType": name, "response": success(200, data)}


def _list_reasons(period: ReconciliationRequest, result: dict[str, Any] | None) -> Iterator[Reason]:
    if result is None:
        yield {"code": "notReconciled", "count": 1, "message": "The reconciliation failed: see its execution."}
        return
    outcomes, waiting = result["outcomes"], result["waiting"]
    if time.time() < period.end_time_in_seconds + (period.lag_seconds or 0):
        yield {
            "code": "notOver",
            "count": 1,
            "message": "Amberflo's report of the period is not final yet: close it later.",
        }
    if drift := outcomes["missing"] + outcomes["unknown"]:
        yield {
            "code": "drift",
            "count": drift,
            "message": "Amberflo reports other usage than the ledger has: see the report, and metering reconcile.",
        }
    if outcomes["tooFresh"]:
        yield {
            "code": "tooFresh",
            "count": outcomes["tooFresh"],
            "message": "Usage of the period was counted recently, and Amberflo does not report it yet: close it later.",
        }
    if waiting["rejected"]:
        yield {
            "code": "rejected",
            "count": waiting["rejected"],
            "message": "Usage of the period was rejected: correct or drop it with metering rejected.",
        }
    if waiting["dead"]:
        yield {
            "code": "dead",
            "count": waiting["dead"],
            "message": "Events are dead, maybe of the period: redrive them with metering dead redrive.",
        }
    if waiting["queued"] and _is_older(period.end_time_in_seconds):
        yield {
            "code": "queued",
            "count": waiting["queued"],
            "message": "Events from before the end of the period may be in the queue: close it later.",
        }


def _is_older(end: int) -> bool:
    """Whether the oldest event in the queue was sent before a time in epoch seconds, or its age is not known."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - loads with boto3, see core/aws.py

    now = datetime.now(UTC)
    try:
        statistics = aws.client("cloudwatch", read_seconds=10).get_metric_statistics(
            Namespace="AWS/SQS",
            MetricName="ApproximateAgeOfOldestMessage",
            Dimensions=[{"Name": "QueueName", "Value": os.environ["USAGE_QUEUE_NAME"]}],
            StartTime=now - _AGE_WINDOW,
            EndTime=now,
            Period=60,
            Statistics=["Maximum"],
        )
    except (BotoCoreError, ClientError) as error:
        raise PeriodNotChecked(f"The age of the queue could not be read ({type(error).__name__}).") from error
    values = sorted(statistics["Datapoints"], key=lambda value: value["Timestamp"])
    return not values or now.timestamp() - values[-1]["Maximum"] < end


at_initialization(STEP_FUNCTIONS.prepare)
