"""The rejected table of a deployment, and each step that can be taken with an item."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

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
from amberflo_workflows.operate.rejected.items import ItemFilter

_BEGINNING: Final = 10_000


class ItemChanged(OperatorError):
    """Somebody else has done something with the item since it was read."""


@dataclass(frozen=True)
class RejectedTable:
    """The table of a deployment. Methods raise :class:`OperatorError` and botocore's errors."""

    deployment: Deployment

    def find(self, wanted: ItemFilter) -> list[RejectedItem]:
        """The items that are wanted, oldest first."""
        pages = self._client.get_paginator("scan").paginate(TableName=self._name, ConsistentRead=True)
        items = (from_attributes(found) for page in pages for found in page["Items"])
        return sorted((item for item in items if wanted.takes(item)), key=lambda item: (item.rejected_at, item.id))

    def count(self, statuses: Sequence[Status]) -> int:
        """How many items have one of these statuses."""
        names = {f":s{place}": {"S": status} for place, status in enumerate(statuses)}
        pages = self._client.get_paginator("scan").paginate(
            TableName=self._name,
            Select="COUNT",
            FilterExpression=f"#status IN ({', '.join(names)})",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues=names,
        )
        return sum(page["Count"] for page in pages)

    def get(self, ids: Iterable[str]) -> Iterator[RejectedItem]:
        """Items by their ids. Raises :class:`OperatorError` for one that is not there."""
        for item_id in ids:
            found = self._client.get_item(TableName=self._name, Key={"id": {"S": item_id}}, ConsistentRead=True)
            if "Item" not in found:
                raise OperatorError(
                    f"There is no rejected usage with the id {item_id}; see: metering rejected list --all"
                )
            yield from_attributes(found["Item"])

    def get_as_seen(self, item_id: str, version: str) -> RejectedItem:
        """An item that is as somebody saw it, by its version then. Raises :class:`ItemChanged`."""
        (item,) = self.get([item_id])
        if item.version != version:
            raise _changed(item_id)
        return item

    def edit(self, item: RejectedItem, usage: Any) -> RejectedItem:
        """Put another usage in the place of a refused one; it keeps the event's identity and time."""
        if item.status != "rejected":
            raise OperatorError(f"{item.id} is {item.status}; only refused usage can be edited.")
        before = json.dumps(item.original["usage"], ensure_ascii=False)
        return self._write(
            replace(item, original={**item.original, "usage": usage}), "rejected", "edited", before=before
        )

    def claim(self, item: RejectedItem) -> RejectedItem:
        """Say that it is being sent: from now on only this very usage may be."""
        if item.status not in OPEN_STATUSES:
            raise OperatorError(f"{item.id} is {item.status}; there is nothing to send.")
        return self._write(item, "redriving", "sent")

    def settle_counted(self, item: RejectedItem, execution_arn: str) -> RejectedItem:
        """It counts now."""
        return self._write(item, "redriven", "counted", execution=execution_arn)

    def settle_refused(self, item: RejectedItem, reason: str, execution_arn: str) -> RejectedItem:
        """It was refused once more."""
        return self._write(item, "rejected", "refused", reason=reason, execution=execution_arn)

    def drop(self, item: RejectedItem, why: str) -> RejectedItem:
        """Give it up. It stays in the table."""
        if item.status != "rejected":
            raise OperatorError(f"{item.id} is {item.status}; only refused usage can be dropped.")
        return self._write(item, "dropped", "dropped", note=why)

    def note_event(self, item_id: str, text: str, status: Status, note: str) -> None:
        """Keep what became of an event that could not be delivered, or of one that no item can hold its beginning."""
        try:
            original, reason = compress(text), "it could not be delivered"
        except ItemTooLarge:
            original = compress(text[:_BEGINNING])
            reason = f"it could not be delivered, and had {len(text):,} characters; this is its beginning"
        entry = {"M": _entry("dropped" if status == "dropped" else "sent", {"note": note} if note else {})}
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

    def _write(self, item: RejectedItem, status: Status, what: str, **about: str) -> RejectedItem:
        """Take the item to a status, with a line in its history, if nobody else has done anything with it."""
        usage = None if item.is_event else item.original["usage"]
        changed = replace(
            item,
            status=status,
            reason=about.get("reason", item.reason),
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
            ":entry": {"L": [{"M": _entry(what, about)}]},
            ":was": {"S": item.status},
            ":steps": {"N": str(len(item.history))},
            ":zero": {"N": "0"},
        }
        try:
            self._client.update_item(
                TableName=self._name,
                Key={"id": {"S": item.id}},
                UpdateExpression="SET #status = :status, reason = :reason, original = :original, tenantId = :tenant, "
                "meterApiName = :meter, history = list_append(if_not_exists(history, :none), :entry)",
                ConditionExpression="#status = :was AND (size(history) = :steps OR "
                "(attribute_not_exists(history) AND :steps = :zero))",
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues=values,
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            raise _changed(item.id) from None
        return next(self.get([item.id]))

    @property
    def _client(self) -> Any:
        return self.deployment.client("dynamodb")

    @property
    def _name(self) -> str:
        return self.deployment.outputs["RejectedTableName"]


def _changed(item_id: str) -> ItemChanged:
    return ItemChanged(f"Somebody else has changed {item_id} since it was read; look at it again.")


def _entry(what: str, about: dict[str, str]) -> dict[str, dict[str, str]]:
    return {name: {"S": value} for name, value in {"at": _now(), "what": what, **about}.items()}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
