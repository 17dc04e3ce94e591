"""Rows of rejected usage for files: CSV and JSON."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from amberflo_workflows.core.rejected_item import RejectedItem

COLUMNS: Final = (
    *("id", "status", "reason", "tenantId", "meterApiName", "meterValue", "meterTimeInMillis", "uniqueId"),
    *("eventId", "eventTime", "rejectedAt", "executionArn"),
)


def build_rows(items: Iterable[RejectedItem]) -> Iterator[dict[str, Any]]:
    """Build a row for each item, with the members in ``COLUMNS``. What its original does not have is ``None``."""
    for item in items:
        reported: Any = {} if item.is_event else item.original
        usage = reported.get("usage") if isinstance(reported.get("usage"), dict) else {}
        yield {
            "id": item.id,
            "status": item.status,
            "reason": item.reason,
            "tenantId": item.tenant_id or None,
            "meterApiName": item.meter_api_name or None,
            "meterValue": usage.get("meterValue"),
            "meterTimeInMillis": usage.get("meterTimeInMillis"),
            "uniqueId": item.unique_id or None,
            "eventId": reported.get("eventId"),
            "eventTime": reported.get("eventTime"),
            "rejectedAt": item.rejected_at,
            "executionArn": item.execution_arn or None,
        }
