"""From events to chunks of usages that one ``ingest_usage`` execution takes.

A chunk is at most 100 usages (what Amberflo's own clients send at once) and 100 kB: should all of it be refused,
the refusals quote it once more, escaped, within the 262,144 bytes that a state may hand on.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeVar

import msgspec

MOST_USAGES: Final = 100
LARGEST_CHUNK_BYTES: Final = 100_000

Origin = TypeVar("Origin")


class Usage(msgspec.Struct, rename="camel", frozen=True):
    """A usage as it was reported, with the identity and ISO 8601 time of what brought it, and its place therein."""

    event_id: str
    event_time: str
    index: int
    usage: Any


def usages_in(detail: Any, *, event_id: str, event_time: str) -> list[Usage]:
    """The usages of an event's detail: one, or those of ``{"records": […]}``.

    Within a batch each gets an identity of its own, from the event's and its index. Nothing is judged here: what
    is no usage at all is passed on for the workflow to refuse and keep.
    """
    if isinstance(detail, dict) and isinstance(detail.get("records"), list):
        return [Usage(f"{event_id}:{index}", event_time, index, usage) for index, usage in enumerate(detail["records"])]
    return [Usage(event_id, event_time, 0, detail)]


def chunks(usages: Iterable[tuple[Origin, Usage]]) -> Iterator[list[tuple[Origin, Usage]]]:
    """Cut into chunks in order; a usage larger than a chunk is one of its own."""
    chunk: list[tuple[Origin, Usage]] = []
    room = LARGEST_CHUNK_BYTES
    for origin, usage in usages:
        size = len(msgspec.json.encode(usage)) + 1
        if chunk and (size > room or len(chunk) == MOST_USAGES):
            yield chunk
            chunk, room = [], LARGEST_CHUNK_BYTES
        chunk.append((origin, usage))
        room -= size
    if chunk:
        yield chunk
