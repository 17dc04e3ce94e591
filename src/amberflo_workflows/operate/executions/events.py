"""Events in one form, wherever they come from.

GetExecutionHistory gives ``{"id": 3, "previousEventId": 2, "timestamp", "type", "taskFailedEventDetails": {…}}``. Into
CloudWatch Logs Step Functions writes ``{"id": "3", "previous_event_id": "2", "event_timestamp": "<milliseconds>",
"execution_arn", "type", "details": {…}}``: the same details, numbers as text, and no ``input`` or ``output`` unless the
log is to include execution data.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from amberflo_workflows.operate.executions.model import HistoryEvent

_ENDINGS: Final = {"SUCCEEDED": "Succeeded", "TIMED_OUT": "TimedOut", "ABORTED": "Aborted"}


class Logged(NamedTuple):
    """An event out of a log, and whose it is."""

    arn: str
    event: HistoryEvent


def history_events(raw: Mapping[str, Any]) -> HistoryEvent:
    """An event of GetExecutionHistory. The emulator does not tell which event was the previous one."""
    details: dict[str, Any] = next((value for key, value in raw.items() if key.endswith("EventDetails")), {})
    return HistoryEvent(raw["id"], raw["type"], raw["timestamp"].astimezone(UTC), raw.get("previousEventId"), details)


def log_events(message: str) -> Logged | None:
    """An event of an execution's log; ``None`` if the line is something else."""
    try:
        raw = json.loads(message)
        at = datetime.fromtimestamp(int(raw["event_timestamp"]) / 1000, UTC)
        details = raw.get("details") or {}
        event = HistoryEvent(int(raw["id"]), raw["type"], at, int(raw["previous_event_id"]), details)
        return Logged(raw["execution_arn"], event)
    except (ValueError, KeyError, TypeError):
        return None


def whole(events: Iterable[HistoryEvent], described: Mapping[str, Any]) -> list[HistoryEvent]:
    """With a beginning and an end: the emulator's history of a distributed Map's children has neither."""
    found = sorted(events, key=lambda event: event.id)
    if not found or found[0].type != "ExecutionStarted":
        at = described["startDate"].astimezone(UTC)
        found.insert(0, HistoryEvent(0, "ExecutionStarted", at, details=_members(described, "input")))
    if described["status"] != "RUNNING" and not any(event.type.startswith("Execution") for event in found[1:]):
        how = _ENDINGS.get(described["status"], "Failed")
        details = _members(described, "output", "error", "cause")
        at = described["stopDate"].astimezone(UTC)
        found.append(HistoryEvent(found[-1].id + 1, f"Execution{how}", at, details=details))
    return found


def _members(described: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: described[name] for name in names if described.get(name) is not None}
