"""Read the rejected table by status and time, through its index.

On AWS the index follows the table after a moment. So it only says which items to read: an item that was rejected just
now may be missing, and an item that changed just now is read, and filtered, as it is in the table.
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, cast

from amberflo_workflows.core.rejected_item import RejectedItem, Status, from_attributes
from amberflo_workflows.infra.operations import STATUS_INDEX
from amberflo_workflows.operate.rejected.item_filter import ItemFilter, ItemSummary

# What BatchGetItem reads at most, by AWS's documentation.
_MAX_BATCH: Final = 100
_CONCURRENCY: Final = 8


@dataclass(frozen=True)
class RejectedIndex:
    """The index of a rejected table; ``client`` is boto3's of DynamoDB. Methods raise botocore's errors."""

    client: Any
    table: str

    def count(self, statuses: Sequence[Status], limit: int) -> int:
        """Count the items with one of these statuses; stops at ``limit``."""
        count = 0
        for page in self._query_all(statuses, Select="COUNT"):
            count += page["Count"]
            if count >= limit:
                return limit
        return count

    def iterate(self, item_filter: ItemFilter, page_size: int | None = None) -> Iterator[ItemSummary]:
        """Yield what matches, oldest first; reads as many pages of ``page_size`` items as the caller needs."""
        queries = (self._query(status, PaginationConfig={"PageSize": page_size}) for status in item_filter.statuses)
        by_status = ((_build_summary(item) for page in pages for item in page["Items"]) for pages in queries)
        return filter(item_filter.matches, heapq.merge(*by_status, key=lambda summary: summary.rejected_at))

    def read(self, summaries: Iterable[ItemSummary], item_filter: ItemFilter) -> list[RejectedItem]:
        """Read items from the table, with consistent reads. Leaves out those that do not match any more."""
        ids = [summary.id for summary in summaries]
        with ThreadPoolExecutor(_CONCURRENCY) as pool:
            batches = pool.map(self._read_batch, [ids[i : i + _MAX_BATCH] for i in range(0, len(ids), _MAX_BATCH)])
            items = {item.id: item for batch in batches for item in batch}
        return [items[item_id] for item_id in ids if item_id in items and item_filter.matches(items[item_id])]

    def _query_all(self, statuses: Sequence[Status], **options: Any) -> Iterator[Mapping[str, Any]]:
        for status in statuses:
            yield from self._query(status, **options)

    def _query(self, status: Status, **options: Any) -> Iterator[Mapping[str, Any]]:
        pages: Iterable[Mapping[str, Any]] = self.client.get_paginator("query").paginate(
            TableName=self.table,
            IndexName=STATUS_INDEX,
            KeyConditionExpression="#status = :status",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues={":status": {"S": status}},
            **options,
        )
        return iter(pages)

    def _read_batch(self, ids: Sequence[str]) -> list[RejectedItem]:
        items: list[RejectedItem] = []
        request = {self.table: {"Keys": [{"id": {"S": item_id}} for item_id in ids], "ConsistentRead": True}}
        while request:
            response = self.client.batch_get_item(RequestItems=request)
            items += map(from_attributes, response["Responses"].get(self.table, []))
            # Items beyond the 16 MB of a response.
            request = response.get("UnprocessedKeys", {})
        return items


def _build_summary(attributes: Mapping[str, Any]) -> ItemSummary:
    def text(name: str) -> str:
        return str(attributes.get(name, {"S": ""})["S"])

    return ItemSummary(
        id=text("id"),
        status=cast("Status", text("status")),
        reason=text("reason"),
        tenant_id=text("tenantId"),
        meter_api_name=text("meterApiName"),
        rejected_at=text("rejectedAt"),
    )
