"""Read the lines that the tasks of an execution logged.

A step receives the execution's name from the workflow and logs it in each line as ``correlation_id``
(``tasks/step.py``). The steps of a distributed Map's children receive the name of the parent.
"""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from amberflo_workflows.operate.deployment import Deployment
from amberflo_workflows.operate.executions.machines import Machine
from amberflo_workflows.operate.executions.model import Execution, LogLine
from amberflo_workflows.operate.executions.reader import to_millis
from amberflo_workflows.operate.executions.throttling import retry_throttled

# Clocks differ a little, and a task may log after it has timed out.
_MARGIN_BEFORE: Final = timedelta(seconds=2)
_MARGIN_AFTER: Final = timedelta(seconds=30)
_TIMESTAMP_FORMAT: Final = "%Y-%m-%d %H:%M:%S,%f%z"


def fetch_task_log_lines(deployment: Deployment, machine: Machine, execution: Execution) -> Iterator[LogLine]:
    """Read the lines of an execution's tasks, oldest first."""
    resources = {node.resource for node in machine.graph.all_nodes() if ":lambda:" in node.resource}
    functions, logs = deployment.client("lambda"), retry_throttled(deployment.client("logs"), "FilterLogEvents")
    with ThreadPoolExecutor(4) as pool:
        results = pool.map(lambda resource: list(_fetch_lines(functions, logs, resource, execution)), sorted(resources))
        yield from sorted((line for lines in results for line in lines), key=lambda line: line.at)


def _fetch_lines(functions: Any, logs: Any, resource: str, execution: Execution) -> Iterator[LogLine]:
    configuration = functions.get_function_configuration(FunctionName=resource)
    summary = execution.summary
    span = {"startTime": to_millis(summary.started - _MARGIN_BEFORE)}
    if summary.stopped:
        span["endTime"] = to_millis(summary.stopped + _MARGIN_AFTER)
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=configuration["LoggingConfig"]["LogGroup"],
        filterPattern=f'{{ $.correlation_id = "{execution.log_name}" }}',
        **span,
    )
    for event in pages.search("events[]"):
        line = _parse_line(event, resource, execution.log_name)
        if line:
            yield line


def _parse_line(event: Any, resource: str, name: str) -> LogLine | None:
    # The emulator ignores the filter pattern and returns every line.
    text = event["message"].rstrip()
    try:
        members = json.loads(text)
    except ValueError:
        return None
    if not isinstance(members, dict) or members.get("correlation_id") != name:
        return None
    level, message = str(members.get("level", "")), str(members.get("message", ""))
    return LogLine(_parse_timestamp(members, event), resource, level, message, text)


def _parse_timestamp(members: dict[str, Any], event: Any) -> datetime:
    """Return the time in the line, because the emulator's own timestamp is that of the function's end."""
    try:
        return datetime.strptime(str(members.get("timestamp")), _TIMESTAMP_FORMAT).astimezone(UTC)
    except ValueError:
        return datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
