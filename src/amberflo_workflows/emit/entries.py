"""What is sent: usages as JSON, in entries as full as the limits of EventBridge and its bill allow."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple, TypeAlias

DETAIL_TYPE: Final = "ingestUsage"
# PutEvents takes 10 entries, together "less than 256 KB":
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevent-size.html. AWS has raised it to 1 MB lately;
# this holds everywhere, and calls cost nothing.
MOST_ENTRIES: Final = 10
LARGEST_CALL_BYTES: Final = 262_143
# EventBridge and SQS bill each begun 64 kB, so an entry fills one such piece and touches no other. In the queue it
# has up to 1,000 bytes more: id, account, time, region.
LARGEST_ENTRY_BYTES: Final = 63_000
# Behind the queue usages are cut into chunks of at most 300 and 100 kB, each an execution, which costs more than an
# event. So an entry is one chunk, and when that fails no other has to come again with it. (Only one that is full of
# letters which are no ASCII may be two: chunks are measured with those escaped.)
MOST_USAGES: Final = 300
# EventBridge refuses an entry with a longer whole number in it.
LARGEST_INTEGER: Final = 2**63 - 1


class BufferedUsage(NamedTuple):
    """A usage that waits to be sent."""

    text: str  # JSON, made at once: what the caller changes later does not change it
    size: int  # bytes, with a comma
    due: float  # when it must not wait any longer, by the monotonic clock


Entry: TypeAlias = list[BufferedUsage]


def first_call(waiting: Iterable[BufferedUsage], overhead: int) -> list[Entry]:
    """As many of the first as one call takes, in entries as full as may be."""
    call: list[Entry] = []
    room = LARGEST_CALL_BYTES
    for entry in _entries(waiting, overhead):
        room -= overhead + sum(usage.size for usage in entry)
        if len(call) == MOST_ENTRIES or room < 0:
            break
        call.append(entry)
    return call


def _entries(waiting: Iterable[BufferedUsage], overhead: int) -> Iterator[Entry]:
    entry: Entry = []
    room = LARGEST_ENTRY_BYTES - overhead
    for usage in waiting:
        if len(entry) == MOST_USAGES or usage.size > room:
            yield entry
            entry, room = [], LARGEST_ENTRY_BYTES - overhead
        entry.append(usage)
        room -= usage.size
    if entry:
        yield entry


def detail(entry: Entry) -> str:
    return '{"records":[' + ",".join(usage.text for usage in entry) + "]}"


def usage_json(  # noqa: PLR0917 - the arguments of record() in their order
    tenant: str, meter: str, value: float, time: datetime, dimensions: Mapping[str, object], unique_id: str
) -> str:
    for name, text in (("tenant_id", tenant), ("meter_api_name", meter), ("unique_id", unique_id)):
        check_text(name, text)
    if not _is_number(value):
        raise ValueError("value must be a finite int or float, an int of at most 64 bits")
    if not isinstance(time, datetime) or time.utcoffset() is None:
        raise ValueError("time must be a datetime with a time zone")
    for name, dimension in dimensions.items():
        check_text("a dimension's name", name)
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


def check_text(name: str, text: object) -> None:
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"{name} must be text, and not empty")


def _is_number(number: object) -> bool:
    """Whether EventBridge takes it as a JSON number."""
    if isinstance(number, float):
        return math.isfinite(number)
    return isinstance(number, int) and not isinstance(number, bool) and abs(number) <= LARGEST_INTEGER
