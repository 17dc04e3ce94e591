"""A usage on its way: as it was reported, with what it was reported by; and what is kept of one that is refused."""

import hashlib
import json
from itertools import accumulate
from typing import Any, Final, TypedDict

import msgspec
from msgspec import Struct


class ReportedUsage(Struct, rename="camel", omit_defaults=True):
    """A usage, with the identity and ISO 8601 time of what brought it.

    ``index`` is its place therein, for whoever reads the answer; neither the record nor its identity hangs on it.
    ``rejected_id`` is there when it comes again from the rejected table: the item that it is in already.
    """

    event_id: str
    event_time: str
    index: int
    usage: Any
    rejected_id: str | None = None


# Of all 300 usages of a chunk the refusals have to fit into 262,144 bytes; a refusal holds nothing of its usage but
# the three members that it is found by. In bytes of JSON: what others say may be of any characters.
MAX_REASON_BYTES: Final = 250


class RejectedUsage(TypedDict):
    """A usage that was not counted; ``place`` is where it stands in the chunk, which the execution's input holds."""

    id: str
    place: int
    index: int
    uniqueId: str
    tenantId: str
    meterApiName: str
    reason: str


def build_rejected_usage(reported: ReportedUsage, place: int, reason: str) -> RejectedUsage:
    """What is told of a usage that was refused for ``reason``."""
    return {
        "id": reported.rejected_id or _identity(reported),
        "place": place,
        "index": reported.index,
        "uniqueId": text_member(reported.usage, "uniqueId") or reported.event_id,
        "tenantId": text_member(reported.usage, "tenantId"),
        "meterApiName": text_member(reported.usage, "meterApiName"),
        "reason": reason,
    }


def truncate_reason(text: str) -> str:
    """The beginning of a text, of at most :data:`MAX_REASON_BYTES` bytes with all but ASCII escaped."""
    sizes = accumulate(len(json.dumps(character)) - 2 for character in text)
    return text[: sum(size <= MAX_REASON_BYTES for size in sizes)]


def _identity(reported: ReportedUsage) -> str:
    """The same for every delivery of a usage, and another for any other usage, be it wrong in whatever way.

    As in the record itself, the event's identity and time count only where the usage has none of its own.
    """
    own = reported.usage if isinstance(reported.usage, dict) else {}
    identity = [
        None if own.get("uniqueId") else reported.event_id,
        None if own.get("meterTimeInMillis") else reported.event_time,
        reported.usage,
    ]
    return hashlib.sha256(msgspec.json.encode(identity, order="sorted")).hexdigest()[:32]


def text_member(usage: Any, member: str) -> str:
    """A member for finding the rejected usage again; at most 200 characters, since this one may be anything."""
    value = usage.get(member) if isinstance(usage, dict) else None
    return str(value)[:200] if isinstance(value, str | int) else ""
