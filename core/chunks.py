"""From events to chunks of usages that one ``ingest_usage`` execution takes.

A chunk is at most 300 usages and 100 kB, with all but ASCII escaped: should all of them be refused, what the refusals
tell of them has to fit into the 262,144 bytes that a state may hand on, and Lambda's runtimes for Python 3.11 and older
hand it on like that. A usage that has more than 100 kB by itself is a chunk of its own, and parked without a workflow.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, TypeVar

import msgspec

from amberflo_workflows.core.reported_usage import ReportedUsage

MAX_CHUNK_USAGES: Final = 300
MAX_CHUNK_BYTES: Final = 100_000
# A usage has two levels. What has many more is none, and many a tool on the way would choke on it.
MAX_DEPTH: Final = 20
TOO_LARGE_REASON: Final = f"it is larger than the {MAX_CHUNK_BYTES:,} bytes that a usage may have"

Origin = TypeVar("Origin")


def extract_usages(detail: Any, *, event_id: str, event_time: str) -> list[ReportedUsage]:
    """The usages of an event's detail: one, or those of ``{"records": […]}``.

    Within a batch each gets an identity of its own, from the event's and its index. Nothing is judged here: what
    is no usage at all is passed on for the workflow to refuse and keep. Raises ``RecursionError`` for what is nested
    deeper than can be carried.
    """
    if isinstance(detail, dict) and isinstance(detail.get("records"), list):
        return [
            ReportedUsage(f"{event_id}:{index}", event_time, index, _carried(usage))
            for index, usage in enumerate(detail["records"])
        ]
    return [ReportedUsage(event_id, event_time, 0, _carried(detail))]


def _carried(usage: Any) -> Any:
    """The usage, or its text in ASCII where half of a character or deep nesting would break its way."""
    if _is_deep(usage, MAX_DEPTH):
        return json.dumps(usage)
    try:
        msgspec.json.encode(usage)
    except UnicodeEncodeError:
        return json.dumps(usage)
    return usage


def _is_deep(value: Any, levels: int) -> bool:
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        return False
    return levels == 0 or any(_is_deep(inner, levels - 1) for inner in value)


def exceeds_chunk_limit(chunk: Sequence[ReportedUsage]) -> bool:
    """Whether this is a usage that no workflow could carry, alone in its chunk."""
    return len(chunk) == 1 and _size(chunk[0]) > MAX_CHUNK_BYTES


def split_into_chunks(usages: Iterable[tuple[Origin, ReportedUsage]]) -> Iterator[list[tuple[Origin, ReportedUsage]]]:
    """Cut into chunks in order; a usage larger than a chunk is one of its own."""
    chunk: list[tuple[Origin, ReportedUsage]] = []
    room = MAX_CHUNK_BYTES
    for origin, usage in usages:
        size = _escaped_size(usage)
        if chunk and (size > room or len(chunk) == MAX_CHUNK_USAGES):
            yield chunk
            chunk, room = [], MAX_CHUNK_BYTES
        chunk.append((origin, usage))
        room -= size
    if chunk:
        yield chunk


def _size(usage: ReportedUsage) -> int:
    """Its bytes, with the comma behind it."""
    return len(msgspec.json.encode(usage)) + 1


def _escaped_size(usage: ReportedUsage) -> int:
    """Its bytes as ASCII, with the comma behind it."""
    text = msgspec.json.encode(usage)
    return len(text if text.isascii() else json.dumps(msgspec.json.decode(text), separators=(",", ":"))) + 1
