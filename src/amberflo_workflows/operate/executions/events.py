"""Parse the events of histories and logs into the same type.

GetExecutionHistory returns ``{"id": 3, "previousEventId": 2, "timestamp", "type", "taskFailedEventDetails": {…}}``.
Step Functions writes ``{"id": "3", "previous_event_id": "2", "event_timestamp": "<milliseconds>", "execution_arn",
"type", "details": {…}}`` to CloudWatch Logs: the same details, with numbers as text, and without ``input`` and
``output`` unless the log includes execution data.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from amberflo_workflows.operate.executions.model import HistoryEvent

_END_TYPES: Final = {"SUCCEEDED": "Succeeded", "TIMED_OUT": "TimedOut", "ABORTED": "Aborted"}


class LoggedEvent(NamedTuple):
    """An event from a log, with the ARN of its execution."""

    arn: str
    event: HistoryEvent


def parse_history_event(raw: Mapping[str, Any]) -> HistoryEvent:
    """Parse an event of GetExecutionHistory. The emulator's have no previous event."""
    details: dict[str, Any] = next((value for key, value in raw.items() if key.endswith("EventDetails")), {})
    return HistoryEvent(raw["id"], raw["type"], raw["timestamp"].astimezone(UTC), raw.get("previousEventId"), details)


def parse_log_event(message: str) -> LoggedEvent | None:
    """Parse a line of a workflow's log; returns ``None`` if it is not an event."""
    try:
        raw = json.loads(message)
        at = datetime.fromtimestamp(int(raw["event_timestamp"]) / 1000, UTC)
        details = raw.get("details") or {}
        event = HistoryEvent(int(raw["id"]), raw["type"], at, int(raw["previous_event_id"]), details)
        return LoggedEvent(raw["execution_arn"], event)
    except (ValueError, KeyError, TypeError):
        return None


def add_missing_ends(events: Iterable[HistoryEvent], described: Mapping[str, Any]) -> list[HistoryEvent]:
    """Add the start and end events, from DescribeExecution, if the history lacks them.

    The emulator's history of a distributed Map's child has neither.
    """
    ordered = sorted(events, key=lambda event: event.id)
    if not ordered or ordered[0].type != "ExecutionStarted":
        at = described["startDate"].astimezone(UTC)
        ordered.insert(0, HistoryEvent(0, "ExecutionStarted", at, details=_get_details(described, "input")))
    if described["status"] != "RUNNING" and not any(event.type.startswith("Execution") for event in ordered[1:]):
        end = _END_TYPES.get(described["status"], "Failed")
        details = _get_details(described, "output", "error", "cause")
        at = described["stopDate"].astimezone(UTC)
        ordered.append(HistoryEvent(ordered[-1].id + 1, f"Execution{end}", at, details=details))
    return ordered


def _get_details(described: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: described[name] for name in names if described.get(name) is not None}
