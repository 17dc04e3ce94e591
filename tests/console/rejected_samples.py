"""Rejected usage and dead events for the tests of their pages."""

import json
import time
import uuid
from typing import Any

import msgspec

from amberflo_workflows.core.chunks import extract_usages
from amberflo_workflows.core.rejected_item import RejectedItem
from amberflo_workflows.local.system import System
from amberflo_workflows.operate.rejected.item_filter import ItemFilter
from amberflo_workflows.operate.rejected.table import RejectedTable
from tests.conftest import sandbox_of
from tests.workflows.runner import Runner

HOSTILE = "<img src=x onerror=\"document.title='taken over'\">"
METER = "api-calls"


def create_rejected(table: RejectedTable, tenant: str, *usages: Any) -> list[RejectedItem]:
    """Report invalid usages of a tenant, which are rejected; returns their items."""
    event_time = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 60))
    records = [
        {"tenantId": tenant, "meterApiName": METER, **usage} if isinstance(usage, dict) else usage for usage in usages
    ]
    reported = extract_usages({"records": records}, event_id=str(uuid.uuid4()), event_time=event_time)
    system: Any = table.deployment
    execution = Runner(system, endpoint=None).run("ingest_usage", {"usages": msgspec.to_builtins(reported)})
    assert len(execution.output["body"]["data"]["rejected"]) == len(usages)
    items = [item for item in table.list_items(ItemFilter()) if item.execution_arn == execution.arn]
    return sorted(items, key=lambda item: int(item.original["index"]))


def send_dead_event(
    system: System, detail: Any, detail_type: str = "ingestUsage", queue: str = "UsageDeadLetterQueueUrl"
) -> None:
    event = {
        "id": str(uuid.uuid4()),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "detail-type": detail_type,
        "detail": detail,
    }
    system.client("sqs").send_message(QueueUrl=system.outputs[queue], MessageBody=json.dumps(event))


def fetch_totals(table: RejectedTable) -> dict[str, float]:
    system: Any = table.deployment
    return sandbox_of(system).totals(METER)


def reload_item(table: RejectedTable, item: RejectedItem) -> RejectedItem:
    return next(table.get([item.id]))
