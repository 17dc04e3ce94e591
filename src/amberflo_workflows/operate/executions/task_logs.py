"""What the tasks of an execution logged.

A step puts the execution's name, which the workflow hands it, into each of its lines as ``correlation_id``
(``tasks/step.py``). The steps of a distributed Map's children are handed the name of the parent.
"""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from amberflo_workflows.operate.deployment import Deployment
from amberflo_workflows.operate.executions.machines import Machine
from amberflo_workflows.operate.executions.model import Execution, LogLine
from amberflo_workflows.operate.executions.throttling import retry_throttled

# Clocks differ a little, and a line may be written after its task was given up.
_BEFORE: Final = timedelta(seconds=2)
_AFTER: Final = timedelta(seconds=30)
_TIME: Final = "%Y-%m-%d %H:%M:%S,%f%z"


def task_log_lines(deployment: Deployment, machine: Machine, execution: Execution) -> Iterator[LogLine]:
    """The lines of an execution's tasks, oldest first."""
    resources = {node.resource for node in machine.graph.every_node() if ":lambda:" in node.resource}
    functions, logs = deployment.client("lambda"), retry_throttled(deployment.client("logs"), "FilterLogEvents")
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda resource: list(_lines(functions, logs, resource, execution)), sorted(resources))
        yield from sorted((line for lines in found for line in lines), key=lambda line: line.at)


def _lines(functions: Any, logs: Any, resource: str, execution: Execution) -> Iterator[LogLine]:
    configuration = functions.get_function_configuration(FunctionName=resource)
    summary = execution.summary
    span = {"startTime": _millis(summary.started - _BEFORE)}
    if summary.stopped:
        span["endTime"] = _millis(summary.stopped + _AFTER)
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=configuration["LoggingConfig"]["LogGroup"],
        filterPattern=f'{{ $.correlation_id = "{execution.log_name}" }}',
        **span,
    )
    for event in pages.search("events[]"):
        line = _line(event, resource, execution.log_name)
        if line:
            yield line


def _line(event: Any, resource: str, name: str) -> LogLine | None:
    # The emulator takes no such pattern, and gives every line.
    text = event["message"].rstrip()
    try:
        found = json.loads(text)
    except ValueError:
        return None
    if not isinstance(found, dict) or found.get("correlation_id") != name:
        return None
    return LogLine(_at(found, event), resource, str(found.get("level", "")), str(found.get("message", "")), text)


def _at(found: dict[str, Any], event: Any) -> datetime:
    """When it was written; the emulator takes lines in when the function has ended."""
    try:
        return datetime.strptime(str(found.get("timestamp")), _TIME).astimezone(UTC)
    except ValueError:
        return datetime.fromtimestamp(event["timestamp"] / 1000, UTC)


def _millis(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
