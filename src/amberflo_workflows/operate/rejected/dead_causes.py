"""Why an event is in a dead-letter queue: the attempts to process it that failed.

EventBridge says in the message that it could not deliver an event. For usage, ``ingest_queue`` logs the ids of the
messages that it returns to the queue, with the execution that failed. A tenant event is the input of its executions.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from amberflo_workflows.core.json_text import parse_json
from amberflo_workflows.operate.deployment import Deployment
from amberflo_workflows.operate.executions.error_causes import parse_error_message
from amberflo_workflows.operate.executions.executions import Executions
from amberflo_workflows.operate.executions.model import Execution, Status, iterate_state_runs
from amberflo_workflows.operate.executions.reader import Query
from amberflo_workflows.operate.rejected.dead_letters import DeadEvent

MAX_ATTEMPTS: Final = 20
# Clocks differ a little.
_MARGIN: Final = timedelta(seconds=2)


class FailedAttempt(NamedTuple):
    """An attempt to process an event; ``execution_arn`` is empty if no execution was started, or none is known."""

    at: datetime
    reason: str
    execution_arn: str = ""


def find_failed_attempts(deployment: Deployment, event: DeadEvent) -> list[FailedAttempt]:
    """Return the attempts of which something is known, oldest first.

    Raises :class:`~amberflo_workflows.operate.errors.OperatorError` and botocore's errors.
    """
    sent = datetime.fromtimestamp(event.sent_in_millis / 1000, UTC)
    if code := event.attributes.get("ERROR_CODE"):
        return [FailedAttempt(sent, _describe_delivery(code, event.attributes))]
    if event.workflow:
        return _find_executions(Executions(deployment), event.workflow, event, sent)
    return sorted(_read_queue_log(deployment, event, sent))[-MAX_ATTEMPTS:]


def _describe_delivery(code: str, attributes: Mapping[str, str]) -> str:
    target, message = attributes.get("TARGET_ARN", "its target"), attributes.get("ERROR_MESSAGE", "")
    retries = attributes.get("RETRY_ATTEMPTS", "0")
    return f"EventBridge could not deliver it to {target}: {code}. {message} It tried again {retries} times.".strip()


def _find_executions(executions: Executions, workflow: str, event: DeadEvent, sent: datetime) -> list[FailedAttempt]:
    if not event.event_id:
        return []
    # The workflow itself has sent the event to the queue, so it started before.
    since = sent - timedelta(days=1)
    query = Query(workflow, Status.FAILED, since=since, text=event.event_id, limit=MAX_ATTEMPTS)
    failed = [executions.get(summary.arn) for summary in reversed(executions.list_page(query).summaries)]
    return [
        FailedAttempt(execution.summary.started, _describe_failure(execution), execution.summary.arn)
        for execution in failed
    ]


def _describe_failure(execution: Execution) -> str:
    """Return the error of the last state that failed. That of the execution only says that the event was kept."""
    runs = [run for run in iterate_state_runs(execution.states) if run.error and run.kind != "Fail"]
    error, cause = (runs[-1].error, runs[-1].cause) if runs else (execution.error, execution.cause)
    return f"{error}: {parse_error_message(cause)}" if cause else error


def _read_queue_log(deployment: Deployment, event: DeadEvent, sent: datetime) -> Iterator[FailedAttempt]:
    function = deployment.outputs["IngestQueueFunctionName"]
    configuration = deployment.client("lambda").get_function_configuration(FunctionName=function)
    pages = (
        deployment.client("logs")
        .get_paginator("filter_log_events")
        .paginate(
            logGroupName=configuration["LoggingConfig"]["LogGroup"],
            filterPattern=f'"{event.message_id}"',
            startTime=int((sent - _MARGIN).timestamp() * 1000),
        )
    )
    for logged in pages.search("events[]"):
        line = parse_json(logged["message"])
        # The emulator ignores the filter pattern and returns every line.
        if isinstance(line, dict) and event.message_id in line.get("message_ids", ()):
            at = datetime.fromtimestamp(logged["timestamp"] / 1000, UTC)
            reason = line.get("error") or line.get("exception_name") or line.get("message")
            yield FailedAttempt(at, str(reason), str(line.get("execution_arn", "")))
