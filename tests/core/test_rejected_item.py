import os
from dataclasses import replace
from typing import Any

import pytest

from amberflo_workflows.core.rejected_item import (
    MAX_PLAIN_BYTES,
    ItemTooLarge,
    RejectedItem,
    from_attributes,
    to_attributes,
)
from tests.workflows.asl import FILES, iter_tasks, load_workflow

ITEM = RejectedItem(
    id="0123456789abcdef",
    status="rejected",
    reason="meterValue is missing",
    tenant_id="t1",
    meter_api_name="api-calls",
    unique_id="u1",
    rejected_at="2026-11-24T10:00:00+00:00",
    execution_arn="arn",
    original={"eventId": "e1", "eventTime": "", "index": 0, "usage": {"tenantId": "é"}},
)
EVENT = replace(ITEM, id="event-1", original='{"detail": {}}')


def _stored_items() -> dict[str, Any]:
    """Return the item that each workflow stores in the rejected table, by the file name of its definition."""
    return {
        path.name: task.body["Parameters"]["Item"]
        for path in FILES
        for task in iter_tasks(load_workflow(path))
        if task.body["Resource"].endswith("dynamodb:putItem")
    }


def test_ingest_usage_writes_the_same_attributes() -> None:
    assert _stored_items()["ingest_usage.asl.json"].keys() == to_attributes(ITEM).keys()


@pytest.mark.parametrize("workflow", ["create_customer", "delete_customer"])
def test_customer_workflows_write_some_of_the_same_attributes(workflow: str) -> None:
    names = _stored_items()[f"{workflow}.asl.json"].keys()
    assert {"id", "status", "reason", "original"} <= names < to_attributes(EVENT).keys()


@pytest.mark.parametrize("item", [ITEM, EVENT], ids=["usage", "event"])
def test_an_item_can_be_read_back(item: RejectedItem) -> None:
    assert from_attributes(to_attributes(item)) == item


def test_a_large_original_is_compressed_and_can_be_read_back() -> None:
    small = replace(ITEM, original={"usage": "x" * (MAX_PLAIN_BYTES - 20)})
    large = replace(ITEM, original={"usage": "x" * MAX_PLAIN_BYTES})
    assert [list(to_attributes(item)["original"]) for item in (small, large)] == [["S"], ["B"]]
    assert from_attributes(to_attributes(large)) == large


def test_an_original_too_large_even_compressed_is_an_error() -> None:
    with pytest.raises(ItemTooLarge, match="800,013 bytes"):
        to_attributes(replace(ITEM, original={"usage": os.urandom(400_000).hex()}))


def test_history_and_absent_attributes_are_read() -> None:
    attributes = {
        "id": {"S": "event-1"},
        "status": {"S": "dropped"},
        "original": {"S": "text"},
        "history": {"L": [{"M": {"at": {"S": "now"}, "what": {"S": "dropped"}}}]},
    }
    item = from_attributes(attributes)
    assert (item.original, item.tenant_id, item.version) == ("text", "", "dropped-1")
    assert item.history == [{"at": "now", "what": "dropped"}]
