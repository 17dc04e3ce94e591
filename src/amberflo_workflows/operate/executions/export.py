"""Executions and their history as rows, for JSON and CSV."""

import json
from typing import Any, Final

from amberflo_workflows.operate.executions.model import ExecutionSummary, HistoryEvent

SUMMARY_COLUMNS: Final = (
    *("name", "workflow", "status", "response_status", "error"),
    *("started", "stopped", "arn", "input_preview"),
)
EVENT_COLUMNS: Final = ("id", "previous", "type", "at", "details")


def build_summary_row(summary: ExecutionSummary) -> dict[str, Any]:
    """Build the row of an execution in a list; times are in ISO 8601."""
    return {
        "name": summary.name,
        "workflow": summary.workflow,
        "status": summary.status.value,
        "response_status": summary.response_status,
        "error": summary.error,
        "started": summary.started.isoformat(),
        "stopped": summary.stopped.isoformat() if summary.stopped else None,
        "arn": summary.arn,
        "input_preview": summary.input_preview,
    }


def build_event_row(event: HistoryEvent) -> dict[str, Any]:
    """Build the row of an event, with all its details as an object."""
    # The details of the emulator have times.
    details = json.loads(json.dumps(event.details, default=str))
    return {
        "id": event.id,
        "previous": event.previous,
        "type": event.type,
        "at": event.at.isoformat(),
        "details": details,
    }


def flatten_event_row(row: dict[str, Any]) -> dict[str, Any]:
    """Return the row of an event for a table: its details are JSON text."""
    return {**row, "details": json.dumps(row["details"], ensure_ascii=False)}
