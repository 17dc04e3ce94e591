"""Send only the rows of a file that were rejected, as they are read with other options."""

import time
from collections.abc import Iterator
from typing import NamedTuple

from amberflo_workflows.core.file_rows import read_rows
from amberflo_workflows.core.rejected_item import RejectedItem
from amberflo_workflows.core.reported_usage import ReportedUsage
from amberflo_workflows.core.usage_file import FileLayout, parse_usages
from amberflo_workflows.core.usage_record import InvalidUsage, build_record, check_countable
from amberflo_workflows.operate.backfill.source import UsageSource
from amberflo_workflows.operate.deployment import Deployment
from amberflo_workflows.operate.rejected.item_filter import ItemFilter
from amberflo_workflows.operate.rejected.redrive import RedriveResult, redrive
from amberflo_workflows.operate.rejected.table import RejectedTable


class RejectedFileRow(NamedTuple):
    """An item of the rejected table, and the usage of its row with the new options."""

    item: RejectedItem
    usage: ReportedUsage


def select_rejected_rows(deployment: Deployment, source: UsageSource, layout: FileLayout) -> list[RejectedFileRow]:
    """Return the rejected items that are rows of a file. Raises :class:`InvalidFile` and botocore's errors."""
    items = {
        item.original["eventId"]: item
        for item in RejectedTable(deployment).list_items(ItemFilter(("rejected",)))
        if not item.is_event
    }
    return [
        RejectedFileRow(items[usage.event_id], usage)
        for row in read_rows(source.read(layout.rows_start), layout.rows_start, layout.options.format)
        for usage in parse_usages(row, layout)
        if usage.event_id in items
    ]


def send_rejected_rows(deployment: Deployment, rows: list[RejectedFileRow]) -> Iterator[RedriveResult]:
    """Replace the usage of each item by that of its row, redrive it, and yield the result.

    A row that is still invalid keeps its item as it is. Raises :class:`OperatorError` and botocore's errors.
    """
    table, items = RejectedTable(deployment), []
    for item, usage in rows:
        fixed = _complete(usage)
        if fixed is None:
            yield RedriveResult(item)
        else:
            items.append(table.edit(item, fixed))
    yield from redrive(deployment, items)


def _complete(usage: ReportedUsage) -> dict[str, object] | None:
    """Return a valid usage with its time, since an item keeps the time that was read at first, else ``None``."""
    try:
        record = build_record(usage.usage, event_id=usage.event_id, event_time=usage.event_time, reason=usage.reason)
        check_countable(record, now_in_millis=int(time.time() * 1000))
    except InvalidUsage:
        return None
    return {**usage.usage, "meterTimeInMillis": record.meter_time_in_millis}
