"""The rejected table of a deployment, and the changes of an item's status."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final, NamedTuple

from amberflo_workflows.core.rejected_item import (
    OPEN_STATUSES,
    ItemTooLarge,
    RejectedItem,
    Status,
    compress,
    from_attributes,
    to_attributes,
)
from amberflo_workflows.core.reported_usage import text_member
from amberflo_workflows.operate.deployment import Deployment
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.rejected.index import RejectedIndex
from amberflo_workflows.operate.rejected.item_filter import ItemFilter
from amberflo_workflows.operate.rejected.reasons import ReasonGroup, group_by_reason

# More are not counted and not listed page by page, so that a page loads within a second.
MAX_LISTED: Final = 10_000
_MAX_EXCERPT_LENGTH: Final = 10_000


class ItemChanged(OperatorError):
    """Someone else changed the item after it was read."""


class ItemPage(NamedTuple):
    """A page of items, its number from 1, and the numbers of pages and of all items, of at most ``MAX_LISTED``."""

    items: list[RejectedItem]
    number: int
    pages: int
    total: int


@dataclass(frozen=True)
class RejectedTable:
    """The table of a deployment. Methods raise :class:`OperatorError` and botocore's errors."""

    deployment: Deployment

    def list_items(self, item_filter: ItemFilter) -> list[RejectedItem]:
        """List the items that match, oldest first."""
        index = self._index
        items = index.read(index.iterate(item_filter), item_filter)
        return sorted(items, key=lambda item: (item.rejected_at, item.id))

    def list_page(self, item_filter: ItemFilter, number: int, size: int) -> ItemPage:
        """List a page of the oldest ``MAX_LISTED`` items that match. Instead of a page after the last one, the last."""
        index = self._index
        matching = list(islice(index.iterate(item_filter), MAX_LISTED)) if item_filter.has_criteria else None
        total = index.count(item_filter.statuses, MAX_LISTED) if matching is None else len(matching)
        pages = max(-(-total // size), 1)
        number = min(max(number, 1), pages)
        start, end = (number - 1) * size, min(number * size, total)
        if matching is None:
            summaries = list(islice(index.iterate(item_filter, end), start, end)) if end else []
        else:
            summaries = matching[start:end]
        return ItemPage(index.read(summaries, item_filter), number, pages, total)

    def list_reasons(self, item_filter: ItemFilter) -> list[ReasonGroup]:
        """Group the oldest ``MAX_LISTED`` items that match by their reason, the largest group first."""
        return group_by_reason(islice(self._index.iterate(item_filter), MAX_LISTED))

    def count(self, statuses: Sequence[Status]) -> int:
        """Count the items with one of these statuses, up to ``MAX_LISTED``."""
        return self._index.count(statuses, MAX_LISTED)

    def get(self, ids: Iterable[str]) -> Iterator[RejectedItem]:
        """Read items by their ids. Raises :class:`OperatorError` if one does not exist."""
        for item_id in ids:
            response = self._client.get_item(TableName=self._name, Key={"id": {"S": item_id}}, ConsistentRead=True)
            if "Item" not in response:
                raise OperatorError(f"Rejected usage {item_id} was not found.", see="rejected list --all")
            yield from_attributes(response["Item"])

    def get_version(self, item_id: str, version: str) -> RejectedItem:
        """Read an item that must still have this version. Raises :class:`ItemChanged`."""
        (item,) = self.get([item_id])
        if item.version != version:
            raise _build_item_changed(item_id)
        return item

    def edit(self, item: RejectedItem, usage: Any) -> RejectedItem:
        """Replace the usage of a rejected item; the identity and time of its event stay the same."""
        if item.status != "rejected":
            raise OperatorError(f"{item.id} is {item.status}; only rejected usage can be edited.")
        before = json.dumps(item.original["usage"], ensure_ascii=False)
        return self._write(
            replace(item, original={**item.original, "usage": usage}), "rejected", "edited", before=before
        )

    def claim(self, item: RejectedItem) -> RejectedItem:
        """Mark an item as ``redriving``; from now on, its usage cannot be changed."""
        if item.status not in OPEN_STATUSES:
            raise OperatorError(f"{item.id} is {item.status}; only rejected or redriving usage can be redriven.")
        return self._write(item, "redriving", "sent")

    def mark_redriven(self, item: RejectedItem, execution_arn: str) -> RejectedItem:
        """Mark an item as counted."""
        return self._write(item, "redriven", "counted", execution=execution_arn)

    def mark_rejected(self, item: RejectedItem, reason: str, execution_arn: str) -> RejectedItem:
        """Mark an item as rejected again."""
        return self._write(item, "rejected", "refused", reason=reason, execution=execution_arn)

    def drop(self, item: RejectedItem, note: str) -> RejectedItem:
        """Mark an item as dropped; it stays in the table. ``note`` says why."""
        if item.status != "rejected":
            raise OperatorError(f"{item.id} is {item.status}; only rejected usage can be dropped.")
        return self._write(item, "dropped", "dropped", note=note)

    def save_event(self, item_id: str, text: str, status: Status, note: str) -> None:
        """Save a dead event with its new status; if it is too large for an item, only its beginning is saved."""
        try:
            original, reason = compress(text), "it could not be delivered"
        except ItemTooLarge:
            original = compress(text[:_MAX_EXCERPT_LENGTH])
            reason = f"it could not be delivered. It has {len(text):,} characters; this is its beginning"
        entry = {
            "M": _build_history_entry("dropped" if status == "dropped" else "sent", {"note": note} if note else {})
        }
        self._client.update_item(
            TableName=self._name,
            Key={"id": {"S": item_id}},
            UpdateExpression="SET #status = :status, reason = :reason, original = :original, "
            "history = list_append(if_not_exists(history, :none), :entry), "
            "rejectedAt = if_not_exists(rejectedAt, :now)",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues={
                ":status": {"S": status},
                ":reason": {"S": reason},
                ":original": original,
                ":none": {"L": []},
                ":entry": {"L": [entry]},
                ":now": {"S": _now()},
            },
        )

    def _write(self, item: RejectedItem, status: Status, what: str, **details: str) -> RejectedItem:
        """Change an item's status and add an entry to its history. Raises :class:`ItemChanged`.

        Returns the item as this write left it. To read it afterwards could return the change of someone else, and the
        next write would then pass its condition and undo that change.
        """
        usage = None if item.is_event else item.original["usage"]
        changed = replace(
            item,
            status=status,
            reason=details.get("reason", item.reason),
            tenant_id=text_member(usage, "tenantId"),
            meter_api_name=text_member(usage, "meterApiName"),
        )
        try:
            attributes = to_attributes(changed)
        except ItemTooLarge as error:
            raise OperatorError(f"{item.id} cannot be stored. {error}") from None
        values = {
            ":status": attributes["status"],
            ":reason": attributes["reason"],
            ":original": attributes["original"],
            ":tenant": attributes["tenantId"],
            ":meter": attributes["meterApiName"],
            ":none": {"L": []},
            ":entry": {"L": [{"M": _build_history_entry(what, details)}]},
            ":was": {"S": item.status},
            ":steps": {"N": str(len(item.history))},
            ":zero": {"N": "0"},
        }
        try:
            response = self._client.update_item(
                TableName=self._name,
                Key={"id": {"S": item.id}},
                ReturnValues="ALL_NEW",
                UpdateExpression="SET #status = :status, reason = :reason, original = :original, tenantId = :tenant, "
                "meterApiName = :meter, history = list_append(if_not_exists(history, :none), :entry)",
                ConditionExpression="#status = :was AND (size(history) = :steps OR "
                "(attribute_not_exists(history) AND :steps = :zero))",
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues=values,
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            raise _build_item_changed(item.id) from None
        return from_attributes(response["Attributes"])

    @property
    def _index(self) -> RejectedIndex:
        return RejectedIndex(self._client, self._name)

    @property
    def _client(self) -> Any:
        return self.deployment.client("dynamodb")

    @property
    def _name(self) -> str:
        return self.deployment.outputs["RejectedTableName"]


def _build_item_changed(item_id: str) -> ItemChanged:
    return ItemChanged(f"Someone else changed {item_id} after it was read. Read it again and repeat the command.")


def _build_history_entry(what: str, details: dict[str, str]) -> dict[str, dict[str, str]]:
    return {name: {"S": value} for name, value in {"at": _now(), "what": what, **details}.items()}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
