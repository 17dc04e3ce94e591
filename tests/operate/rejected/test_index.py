from dataclasses import replace
from typing import Any

import pytest

from amberflo_workflows.core.rejected_item import STATUSES, RejectedItem, Status, to_attributes
from amberflo_workflows.local.system import System
from amberflo_workflows.operate.rejected.index import RejectedIndex
from amberflo_workflows.operate.rejected.item_filter import ItemFilter
from amberflo_workflows.operate.rejected.table import RejectedTable

pytestmark = pytest.mark.system


def _put(system: System, name: str, *, at: int, status: Status = "rejected", tenant: str = "acme") -> RejectedItem:
    item = RejectedItem(
        id=name,
        status=status,
        reason="meterValue must be a number",
        tenant_id=tenant,
        meter_api_name="calls",
        unique_id=name,
        rejected_at=f"2026-01-01T00:00:{at:02}.000Z",
        execution_arn="arn",
        original={
            "eventId": "e",
            "eventTime": "2026-01-01T00:00:00Z",
            "index": 0,
            "usage": {"meterValue": "x" * 9_000},
        },
    )
    system.client("dynamodb").put_item(TableName=system.outputs["RejectedTableName"], Item=to_attributes(item))
    return item


def _list_ids(items: list[RejectedItem]) -> list[str]:
    return [item.id for item in items]


def test_items_of_several_statuses_are_listed_by_time(system: System) -> None:
    statuses: list[Status] = ["rejected", "dropped", "redriving", "rejected", "redriven", "redriving"]
    for at, status in enumerate(statuses):
        _put(system, f"{status}-{at}", at=at, status=status)
    table = RejectedTable(system)
    assert _list_ids(table.list_items(ItemFilter())) == ["rejected-0", "redriving-2", "rejected-3", "redriving-5"]
    assert _list_ids(table.list_items(ItemFilter(("dropped",)))) == ["dropped-1"]
    assert [item.rejected_at[17:19] for item in table.list_items(ItemFilter(STATUSES))] == [f"{n:02}" for n in range(6)]
    assert [table.count(("rejected",)), table.count(("dropped", "redriven")), table.count(STATUSES)] == [2, 2, 6]


def test_more_items_than_a_request_reads_are_complete(system: System) -> None:
    # The originals of all of them would not fit into one response of DynamoDB.
    items = [_put(system, f"item-{number:03}", at=number % 60) for number in range(210)]
    table = RejectedTable(system)
    assert table.list_items(ItemFilter()) == sorted(items, key=lambda item: (item.rejected_at, item.id))
    assert table.count(("rejected",)) == 210


def test_pages_are_complete_and_a_page_after_the_last_one_is_the_last_one(system: System) -> None:
    for number in range(7):
        _put(system, f"item-{number}", at=number, status=STATUSES[number % 2], tenant=f"tenant-{number % 3}")
    table = RejectedTable(system)
    pages = [table.list_page(ItemFilter(), number, 3) for number in (1, 2, 3, 4, 0)]
    ids = [["item-0", "item-1", "item-2"], ["item-3", "item-4", "item-5"], ["item-6"]]
    assert [_list_ids(page.items) for page in pages] == [*ids, ids[2], ids[0]]
    assert [(page.number, page.pages, page.total) for page in pages] == [(n, 3, 7) for n in (1, 2, 3, 3, 1)]
    filtered = table.list_page(ItemFilter(tenant="tenant-0"), 2, 2)
    assert (_list_ids(filtered.items), filtered.pages, filtered.total) == (["item-6"], 2, 3)
    nothing = table.list_page(ItemFilter(("dropped",)), 5, 3)
    assert nothing == ([], 1, 1, 0)


def test_no_more_than_the_limit_is_counted_and_listed(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("amberflo_workflows.operate.rejected.table.MAX_LISTED", 4)
    for number in range(6):
        _put(system, f"item-{number}", at=number)
    table = RejectedTable(system)
    assert table.count(("rejected",)) == 4
    for item_filter in (ItemFilter(), ItemFilter(meter="calls")):
        page = table.list_page(item_filter, 9, 3)
        assert (_list_ids(page.items), page.number, page.total) == (["item-3"], 2, 4)
        assert len(table.list_items(item_filter)) == 6


class _LateIndex:
    """A client whose queries return what the index had before."""

    def __init__(self, client: Any, before: list[Any]) -> None:
        self._client, self._before = client, before
        self.batch_get_item = client.batch_get_item

    def get_paginator(self, _: str) -> "_LateIndex":
        return self

    def paginate(self, **_: Any) -> list[Any]:
        return self._before


def test_an_item_that_the_index_has_not_followed_is_read_and_filtered_as_it_is(system: System) -> None:
    table, client = RejectedTable(system), system.client("dynamodb")
    changed, unchanged = _put(system, "changed", at=1), _put(system, "unchanged", at=2)
    name = system.outputs["RejectedTableName"]
    before = [
        {"Items": [to_attributes(changed), to_attributes(unchanged), to_attributes(replace(unchanged, id="gone"))]}
    ]
    dropped = table.drop(changed, "a test")
    index = RejectedIndex(_LateIndex(client, before), name)
    summaries = list(index.iterate(ItemFilter(("rejected",))))
    assert [summary.id for summary in summaries] == ["changed", "unchanged", "gone"]
    assert index.read(summaries, ItemFilter(("rejected",))) == [unchanged]
    assert index.read(summaries, ItemFilter(STATUSES)) == [dropped, unchanged]
