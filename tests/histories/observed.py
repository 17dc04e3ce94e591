"""Where each usage really is: in Amberflo's records, in the rejected table, or in the message of a queue."""

import base64
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ministack.services import dynamodb, sqs

from amberflo_workflows.core.rejected_item import RejectedItem, from_attributes
from amberflo_workflows.sandbox import usage
from tests.histories.ledger import Place, Totals
from tests.histories.stack import REJECTED_TABLE, Stack

_PLACE_BY_STATUS = {"rejected": Place.REJECTED, "redriving": Place.REJECTED, "dropped": Place.DROPPED}
_RECORDS = "SELECT meter, customer, at_ms, value, unique_id, dimensions, cancels FROM records ORDER BY seq"


def list_names(message: str) -> list[str]:
    """The names of the usages in the text of an event."""
    detail = json.loads(message)["detail"]
    return [item["name"] for item in detail.get("records", [detail])]


def list_items() -> Iterator[RejectedItem]:
    """All items of the rejected table, without a scan, which would take a third of the time of a history."""
    for by_sort_key in dynamodb._tables[REJECTED_TABLE]["items"].values():
        for attributes in by_sort_key.values():
            yield from_attributes({name: _decode(value) for name, value in attributes.items()})


def list_without_outcome(stack: Stack) -> set[str]:
    """The names of the usages of which nobody knows yet whether they count, or never will.

    They are in a queue, on their way from the table, or in an event that failed five times and was dropped.
    """
    messages = (
        message["body"]
        for output in ("UsageQueueUrl", "UsageDeadLetterQueueUrl")
        for message in sqs._get_q(stack.outputs[output])["messages"]
    )
    names = {name for message in messages for name in list_names(message)}
    items = list(list_items())
    names.update(_list_dropped(items))
    return names | {name for name, item in by_usage(items).items() if item.status == "redriving"}


def by_usage(items: Iterable[RejectedItem]) -> dict[str, RejectedItem]:
    """The items by the name of their usage, without those of events."""
    items_of_usage = [item for item in items if not item.is_event]
    by_name = {item.original["usage"]["name"]: item for item in items_of_usage}
    assert len(by_name) == len(items_of_usage), f"a usage has two items in the rejected table: {items_of_usage}"
    return by_name


def _decode(attribute: dict[str, Any]) -> dict[str, Any]:
    """Return an attribute as boto3 does, with bytes in place of their text on the wire."""
    return {"B": base64.b64decode(attribute["B"])} if "B" in attribute else attribute


@dataclass
class Amberflo:
    """The records that Amberflo has, without their copies, by the name of their usage; and their sums.

    They are read only if a request with records has come since.
    """

    stack: Stack
    records: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict)
    totals: Totals = field(default_factory=dict)
    _read_at: int = -1

    def read(self) -> None:
        sandbox = self.stack.sandbox
        if self._read_at == sandbox.records:
            return
        self._read_at = sandbox.records
        self.records = {}
        sent: set[tuple[Any, ...]] = set()
        cancelled: set[tuple[Any, ...]] = set()
        # Each distinct record once. For so few records, Python is faster at this than DuckDB.
        for record in dict.fromkeys(sandbox.store.query(_RECORDS)):
            *identity, dimensions, cancels = record
            self.records.setdefault(json.loads(dimensions)["name"], []).append(record)
            (cancelled if cancels else sent).add((*identity, dimensions))
        self.totals = {}
        for meter, tenant, _, value, *_ in sent - cancelled:
            by_tenant = self.totals.setdefault(meter, {})
            by_tenant[tenant] = by_tenant.get(tenant, 0) + value

    def check_totals(self) -> None:
        """Compare the sums with what Amberflo reports, which takes ten times as long as to read the records."""
        sandbox = self.stack.sandbox
        for meter in self.totals:
            assert usage.compute_totals(sandbox.store, sandbox.settings, meter) == self.totals[meter], str(self)

    def place(self, name: str) -> Place:
        """The place of a usage that Amberflo has."""
        is_cancelled = any(cancels for *_, cancels in self.records[name])
        return Place.CANCELLED if is_cancelled else Place.COUNTED

    def __str__(self) -> str:
        return "\n".join(str(record) for versions in self.records.values() for record in versions)


def read_places(stack: Stack, amberflo: Amberflo) -> dict[str, Place]:
    """The place of each usage. What is counted may still be in a queue, to be delivered again, which changes nothing.

    Fails if the table disagrees with Amberflo.
    """
    amberflo.read()
    items = list(list_items())
    places = dict.fromkeys(_list_dropped(items), Place.DROPPED)
    for output, place in (("UsageDeadLetterQueueUrl", Place.DEAD), ("UsageQueueUrl", Place.QUEUED)):
        for message in sqs._get_q(stack.outputs[output])["messages"]:
            places |= dict.fromkeys(list_names(message["body"]), place)
    for name, item in by_usage(items).items():
        is_counted = name in amberflo.records
        assert not (is_counted and item.status in {"rejected", "dropped"}), f"{name} is {item.status}, but counted"
        assert is_counted or item.status != "redriven", f"{name} is redriven, but not counted"
        if item.status in _PLACE_BY_STATUS:
            places[name] = _PLACE_BY_STATUS[item.status]
    return places | {name: amberflo.place(name) for name in amberflo.records}


def _list_dropped(items: Iterable[RejectedItem]) -> Iterator[str]:
    """The names of the usages in dropped events."""
    for item in items:
        if item.is_event and item.status == "dropped":
            yield from list_names(item.original)
