"""Extract usages from an event, and split them into the chunks that one ``ingest_usage`` execution takes.

A chunk has at most 300 usages and 100 kB, counted with all but ASCII escaped. If all of its usages are rejected, the
rejections have to fit into the 262,144 bytes of a state's output, and Lambda's runtimes for Python 3.11 and older
escape what they return. A usage over 100 kB is a chunk of its own, which goes to the rejected table without a
workflow.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, Generic, TypeVar

import msgspec
from msgspec import Struct

from amberflo_workflows.core.reported_usage import ReportedUsage

MAX_CHUNK_USAGES: Final = 300
MAX_CHUNK_BYTES: Final = 100_000
# A valid usage has two levels. Much deeper values are invalid, and could break JSON readers on the way.
MAX_DEPTH: Final = 20
TOO_LARGE_REASON: Final = f"it is larger than the limit of {MAX_CHUNK_BYTES:,} bytes"

Origin = TypeVar("Origin")


class EncodedUsage(Struct, Generic[Origin]):
    """A usage with its JSON in UTF-8, which limits its chunk and becomes the input of an execution.

    ``origin`` is what brought it, by which a caller recognizes it in its chunk.
    """

    origin: Origin
    reported: ReportedUsage
    text: bytes


def encode_usage(origin: Origin, reported: ReportedUsage) -> EncodedUsage[Origin]:
    return EncodedUsage(origin, reported, msgspec.json.encode(reported))


def encode_chunk(chunk: Sequence[EncodedUsage[Any]]) -> msgspec.Raw:
    """Return the list of the usages, for the input of an execution."""
    return msgspec.Raw(b"[" + b",".join([usage.text for usage in chunk]) + b"]")


def extract_usages(detail: Any, *, event_id: str, event_time: str) -> list[ReportedUsage]:
    """Return the usages of an event's detail: one, or those of ``{"records": […]}``.

    Each can be encoded. Nothing else is validated here: an invalid usage is passed on, so that the workflow rejects and
    stores it. Raises ``RecursionError`` if the detail is nested too deep to be encoded.
    """
    usages = split_detail(detail, event_id=event_id, event_time=event_time)
    for reported in usages:
        reported.usage = _make_encodable(reported.usage)
    return usages


def split_detail(detail: Any, *, event_id: str, event_time: str) -> list[ReportedUsage]:
    """Return what :func:`extract_usages` returns for a detail that can be encoded.

    Each usage of ``records`` gets its own identity, from the event's id and its index.
    """
    if isinstance(detail, dict) and isinstance(detail.get("records"), list):
        return [
            ReportedUsage(f"{event_id}:{index}", event_time, index, usage)
            for index, usage in enumerate(detail["records"])
        ]
    return [ReportedUsage(event_id, event_time, 0, detail)]


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


def exceeds_chunk_limit(chunk: Sequence[EncodedUsage[Any]]) -> bool:
    """Whether this is a single usage that is too large for a workflow."""
    return len(chunk) == 1 and len(chunk[0].text) + len(",") > MAX_CHUNK_BYTES


def split_into_chunks(usages: Iterable[EncodedUsage[Origin]]) -> Iterator[list[EncodedUsage[Origin]]]:
    """Yield chunks in order. A usage that is larger than a chunk is a chunk of its own."""
    chunk: list[EncodedUsage[Origin]] = []
    free_bytes = MAX_CHUNK_BYTES
    for usage in usages:
        size = _escaped_size(usage.text)
        if chunk and (size > free_bytes or len(chunk) == MAX_CHUNK_USAGES):
            yield chunk
            chunk, free_bytes = [], MAX_CHUNK_BYTES
        chunk.append(usage)
        free_bytes -= size
    if chunk:
        yield chunk


def _escaped_size(text: bytes) -> int:
    """Return the bytes of JSON if it is in ASCII, with the comma after it."""
    return len(text if text.isascii() else json.dumps(msgspec.json.decode(text), separators=(",", ":"))) + len(",")
