"""Extract usages from an event, and split them into the chunks that one ``ingest_usage`` execution takes.

A chunk has at most 300 usages and 100 kB, counted with all but ASCII escaped. If all of its usages are rejected, the
rejections have to fit into the 262,144 bytes of a state's output, and Lambda's runtimes for Python 3.11 and older
escape what they return. A usage over 100 kB is a chunk of its own, which goes to the rejected table without a
workflow.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, TypeVar

import msgspec

from amberflo_workflows.core.reported_usage import ReportedUsage

MAX_CHUNK_USAGES: Final = 300
MAX_CHUNK_BYTES: Final = 100_000
# A valid usage has two levels. Much deeper values are invalid, and could break JSON readers on the way.
MAX_DEPTH: Final = 20
TOO_LARGE_REASON: Final = f"it is larger than the limit of {MAX_CHUNK_BYTES:,} bytes"

Origin = TypeVar("Origin")


def extract_usages(detail: Any, *, event_id: str, event_time: str) -> list[ReportedUsage]:
    """Return the usages of an event's detail: one, or those of ``{"records": […]}``.

    Each usage of ``records`` gets its own identity, from the event's id and its index. Nothing is validated here: an
    invalid usage is passed on, so that the workflow rejects and stores it. Raises ``RecursionError`` if the detail is
    nested too deep to be encoded.
    """
    if isinstance(detail, dict) and isinstance(detail.get("records"), list):
        return [
            ReportedUsage(f"{event_id}:{index}", event_time, index, _make_encodable(usage))
            for index, usage in enumerate(detail["records"])
        ]
    return [ReportedUsage(event_id, event_time, 0, _make_encodable(detail))]


def _make_encodable(usage: Any) -> Any:
    """Return the usage, or its JSON text in ASCII if it is nested deep or has a lone surrogate."""
    if _is_deeper(usage, MAX_DEPTH):
        return json.dumps(usage)
    try:
        msgspec.json.encode(usage)
    except UnicodeEncodeError:
        return json.dumps(usage)
    return usage


def _is_deeper(value: Any, levels: int) -> bool:
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        return False
    return levels == 0 or any(_is_deeper(inner, levels - 1) for inner in value)


def exceeds_chunk_limit(chunk: Sequence[ReportedUsage]) -> bool:
    """Whether this is a single usage that is too large for a workflow."""
    return len(chunk) == 1 and _encoded_size(chunk[0]) > MAX_CHUNK_BYTES


def split_into_chunks(usages: Iterable[tuple[Origin, ReportedUsage]]) -> Iterator[list[tuple[Origin, ReportedUsage]]]:
    """Yield chunks in order. A usage that is larger than a chunk is a chunk of its own."""
    chunk: list[tuple[Origin, ReportedUsage]] = []
    free_bytes = MAX_CHUNK_BYTES
    for origin, usage in usages:
        size = _escaped_size(usage)
        if chunk and (size > free_bytes or len(chunk) == MAX_CHUNK_USAGES):
            yield chunk
            chunk, free_bytes = [], MAX_CHUNK_BYTES
        chunk.append((origin, usage))
        free_bytes -= size
    if chunk:
        yield chunk


def _encoded_size(usage: ReportedUsage) -> int:
    """Return the bytes of its JSON in UTF-8, with the comma after it."""
    return len(msgspec.json.encode(usage)) + 1


def _escaped_size(usage: ReportedUsage) -> int:
    """Return the bytes of its JSON in ASCII, with the comma after it."""
    text = msgspec.json.encode(usage)
    return len(text if text.isascii() else json.dumps(msgspec.json.decode(text), separators=(",", ":"))) + 1
