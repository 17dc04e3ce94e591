"""Usages as JSON, and the entries of PutEvents, as full as EventBridge's limits and price allow."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple, TypeAlias

DETAIL_TYPE: Final = "ingestUsage"
# PutEvents accepts 10 entries, together "less than 256 KB":
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevent-size.html. AWS has raised the limit to 1 MB
# recently; 256 KB works everywhere, and calls cost nothing.
MAX_CALL_ENTRIES: Final = 10
MAX_CALL_BYTES: Final = 262_143
# EventBridge and SQS charge per 64 kB, rounded up, so an entry fills at most one such unit. In the queue an event has
# up to 1,000 bytes more: id, account, time, region.
MAX_ENTRY_BYTES: Final = 63_000
# After the queue, usages are split into chunks of at most 300 usages and 100 kB. Each chunk is an execution, which
# costs more than an event. So an entry is one chunk, and a failure repeats no other. (An entry with many non-ASCII
# characters may be two chunks, because chunks are measured with those characters escaped.)
MAX_ENTRY_USAGES: Final = 300
# EventBridge rejects an entry with a larger integer.
MAX_INTEGER: Final = 2**63 - 1


class BufferedUsage(NamedTuple):
    """A usage that is queued to be sent."""

    text: str  # JSON, so that later changes by the caller have no effect
    size: int  # bytes, including a comma
    due: float  # the latest time to send it, by the monotonic clock


Entry: TypeAlias = list[BufferedUsage]


def build_call(queue: Iterable[BufferedUsage], overhead: int) -> list[Entry]:
    """Build the entries of one call from the first usages in the queue."""
    call: list[Entry] = []
    room = MAX_CALL_BYTES
    for entry in _build_entries(queue, overhead):
        room -= overhead + sum(usage.size for usage in entry)
        if len(call) == MAX_CALL_ENTRIES or room < 0:
            break
        call.append(entry)
    return call


def _build_entries(queue: Iterable[BufferedUsage], overhead: int) -> Iterator[Entry]:
    entry: Entry = []
    room = MAX_ENTRY_BYTES - overhead
    for usage in queue:
        if len(entry) == MAX_ENTRY_USAGES or usage.size > room:
            yield entry
            entry, room = [], MAX_ENTRY_BYTES - overhead
        entry.append(usage)
        room -= usage.size
    if entry:
        yield entry


def build_detail(entry: Entry) -> str:
    return '{"records":[' + ",".join(usage.text for usage in entry) + "]}"


def build_usage_json(  # noqa: PLR0917 - the arguments of record(), in their order
    tenant: str, meter: str, value: float, time: datetime, dimensions: Mapping[str, object], unique_id: str
) -> str:
    for name, text in (("tenant_id", tenant), ("meter_api_name", meter), ("unique_id", unique_id)):
        validate_text(name, text)
    if not _is_number(value):
        raise ValueError("value must be a finite float or an int of at most 64 bits")
    if not isinstance(time, datetime) or time.utcoffset() is None:
        raise ValueError("time must be a datetime with a time zone")
    for name, dimension in dimensions.items():
        validate_text("a dimension's name", name)
        if not (dimension is None or isinstance(dimension, str | bool) or _is_number(dimension)):
            raise ValueError(f"the dimension {name!r} must be a str, a finite int or float, a bool or None")
    usage: dict[str, object] = {
        "tenantId": tenant,
        "meterApiName": meter,
        "meterValue": value,
        "meterTimeInMillis": (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1),
        "uniqueId": unique_id,
    }
    if dimensions:
        usage["dimensions"] = dict(dimensions)
    return json.dumps(usage, ensure_ascii=False, separators=(",", ":"))


def validate_text(name: str, text: object) -> None:
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"{name} must be a string that is not empty")


def _is_number(number: object) -> bool:
    """Whether EventBridge accepts it as a JSON number."""
    if isinstance(number, float):
        return math.isfinite(number)
    return isinstance(number, int) and not isinstance(number, bool) and abs(number) <= MAX_INTEGER
