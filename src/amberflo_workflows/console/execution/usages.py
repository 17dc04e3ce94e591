"""The usages of an ``ingest_usage`` execution, and the result of each."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from amberflo_workflows.core.reported_usage import ReportedUsage, build_rejected_usage
from amberflo_workflows.operate.executions.model import Execution
from amberflo_workflows.operate.usage_report import format_number

WORKFLOW: Final = "ingest_usage"


@dataclass(frozen=True)
class UsageRow:
    """A reported usage. ``status`` is ``counted``, ``rejected`` with a ``reason``, or empty if it is not known.

    ``time`` is the text in the usage if it is not a time.
    ``item`` is the id of the item in the rejected table, if the usage was rejected.
    """

    unique_id: str
    tenant: str
    meter: str
    value: str
    time: datetime | str
    status: str
    reason: str
    item: str


def build_usage_rows(execution: Execution) -> list[UsageRow]:
    """Build the rows of the usages in the input; none for other workflows or if the input is not known."""
    if execution.summary.workflow != WORKFLOW:
        return []
    usages = _member(_parse_json(execution.input), "usages")
    data = _member(_member(_parse_json(execution.output), "body"), "data")
    counted = {str(unique_id) for unique_id in _as_list(_member(data, "uniqueIds"))}
    rejected = {
        str(_member(rejection, "uniqueId")): _member(rejection, "reason")
        for rejection in _as_list(_member(data, "rejected"))
    }
    return [_build_usage_row(reported, counted, rejected) for reported in _as_list(usages)]


def _build_usage_row(reported: Any, counted: set[str], rejected: Mapping[str, Any]) -> UsageRow:
    usage = _member(reported, "usage")
    unique_id = _format_value(_member(usage, "uniqueId") or _member(reported, "eventId"))
    status = "rejected" if unique_id in rejected else "counted" if unique_id in counted else ""
    return UsageRow(
        unique_id=unique_id,
        tenant=_format_value(_member(usage, "tenantId")),
        meter=_format_value(_member(usage, "meterApiName")),
        value=_format_meter_value(_member(usage, "meterValue")),
        time=_parse_time(_member(usage, "meterTimeInMillis") or _member(reported, "eventTime")),
        status=status,
        reason=_format_value(rejected.get(unique_id)),
        item=_rejected_item_id(reported) if status == "rejected" else "",
    )


def _rejected_item_id(reported: Any) -> str:
    """The id in the rejected table. The step that rejected the usage derived it in the same way."""
    return build_rejected_usage(msgspec.convert(reported, ReportedUsage), 0, "")["id"]


def _parse_time(value: Any) -> datetime | str:
    """Parse milliseconds since the epoch, or ISO 8601 with a time zone."""
    try:
        time = datetime.fromtimestamp(value / 1000, UTC) if type(value) is int else datetime.fromisoformat(value)
    except (ValueError, TypeError, OverflowError, OSError):
        return _format_value(value)
    return time if time.tzinfo else _format_value(value)


def _parse_json(text: str | None) -> Any:
    try:
        return json.loads(text or "null")
    except (ValueError, RecursionError):
        return None


def _member(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _format_value(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def _format_meter_value(value: Any) -> str:
    """Format a number as on the other pages, and what is not a number as it was reported."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    try:
        return format_number(value) if is_number else _format_value(value)
    except (ValueError, OverflowError):
        return _format_value(value)
