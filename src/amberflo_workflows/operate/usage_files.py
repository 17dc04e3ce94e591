"""Usages of a file or a stream: CSV with a header, or NDJSON, in the format of ``metering backfill``."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import chain, tee
from pathlib import Path
from typing import Any

import msgspec

from amberflo_workflows.core.file_encoding import InvalidFile
from amberflo_workflows.core.file_options import FileOptions, Format
from amberflo_workflows.core.file_rows import read_rows
from amberflo_workflows.core.reported_usage import ReportedUsage
from amberflo_workflows.core.usage_file import parse_row, read_layout
from amberflo_workflows.core.usage_record import InvalidUsage, build_record
from amberflo_workflows.operate.backfill.source import LocalFile

Usage = dict[str, Any]
# Values by meterApiName and tenantId.
Totals = dict[tuple[str, str], float]


def read_usages(chunks: Iterable[bytes], name: str, file_format: Format | None) -> Iterator[ReportedUsage]:
    """Return the usages of a file, each with the identity that a backfill of the file gives it; rows are read lazily.

    Without a ``file_format`` the first character decides. Raises :class:`InvalidFile`.
    """
    iterator = iter(chunks)
    first = next(iterator, b"")
    if file_format is None:
        file_format = "ndjson" if first.decode("utf-8-sig", errors="ignore").lstrip().startswith("{") else "csv"
    beginning, content = tee(chain([first], iterator))
    layout = read_layout(FileOptions(name, file_format), beginning)
    return (parse_row(row, layout) for row in read_rows(content, 0, file_format) if row.start >= layout.rows_start)


def read_usage_list(path: Path) -> list[Usage]:
    """Return the usages of a local file, all valid; a usage may have no time. Raises :class:`InvalidFile`."""
    source = LocalFile(path)
    usages = read_usages(source.read(), "", None)
    return validate_usages(path, usages, default_time=datetime.now(UTC).isoformat())


def validate_usages(path: Path, reported: Iterable[ReportedUsage], default_time: str = "") -> list[Usage]:
    """Return the usages if there are any and all are valid; the time of a row becomes ``meterTimeInMillis``.

    ``default_time`` (ISO 8601) allows usages without a time. Raises :class:`InvalidFile`.
    """
    usages: list[Usage] = []
    for number, row in enumerate(reported, 1):
        try:
            record = build_record(
                row.usage, event_id=row.event_id, event_time=row.event_time or default_time, reason=row.reason
            )
        except InvalidUsage as error:
            raise InvalidFile(f"{path}, usage {number}: {error}.") from None
        time = {"meterTimeInMillis": record.meter_time_in_millis} if row.event_time else {}
        usages.append(row.usage | time)
    if not usages:
        raise InvalidFile(f"{path} has no usages.")
    return usages


def compute_totals(usages: Iterable[Usage]) -> Totals:
    """Add up the values of valid usages. Those with the same record count once, as in Amberflo.

    A usage without a ``uniqueId`` gets another one, so it counts each time.
    """
    totals: Totals = {}
    counted: set[bytes] = set()
    for number, usage in enumerate(usages):
        # Usages without a time get the same one when they are sent together, so any time will do.
        record = build_record(usage, event_id=f"usage {number}", event_time="1970-01-01")
        text = msgspec.json.encode(record)
        if text not in counted:
            counted.add(text)
            key = (record.meter_api_name, record.customer_id)
            totals[key] = totals.get(key, 0) + record.meter_value
    return totals
