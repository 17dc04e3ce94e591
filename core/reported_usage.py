"""A usage with the id and time of the event that brought it, and the outcome for one that is rejected."""

import hashlib
import json
from itertools import accumulate
from typing import Any, Final, TypedDict

import msgspec
from msgspec import Struct

from amberflo_workflows.core.canonical import normalize_text


class ReportedUsage(Struct, rename="camel", omit_defaults=True):
    """A usage, with the id and the time (ISO 8601) of the event that brought it.

    ``index`` is its position in the event or call, by which the response refers to it; the record and its identity do
    not depend on it. ``rejected_id`` is the id of its item in the rejected table, if it is redriven from there.
    ``reason`` says why a row of a file cannot be read, if ``usage`` is its text, or else why its time cannot be.
    """

    event_id: str
    event_time: str
    index: int
    usage: Any
    rejected_id: str | None = None
    reason: str = ""


# In bytes of JSON, since a reason may quote any characters. The rejections of all 300 usages of a chunk have to fit
# into 262,144 bytes, so a rejection has only a reason and the three members by which the usage can be identified.
MAX_REASON_BYTES: Final = 250


class RejectedUsage(TypedDict):
    """A usage that was not counted. ``place`` is its position in the chunk, which the execution's input has."""

    id: str
    place: int
    index: int
    uniqueId: str
    tenantId: str
    meterApiName: str
    reason: str


def build_rejected_usage(reported: ReportedUsage, place: int, reason: str) -> RejectedUsage:
    """Return the outcome for a usage that is rejected for ``reason``."""
    return {
        "id": reported.rejected_id or _compute_id(reported),
        "place": place,
        "index": reported.index,
        "uniqueId": text_member(reported.usage, "uniqueId") or reported.event_id,
        "tenantId": text_member(reported.usage, "tenantId"),
        "meterApiName": text_member(reported.usage, "meterApiName"),
        "reason": reason,
    }


def truncate_reason(text: str) -> str:
    """Return the start of a text: at most :data:`MAX_REASON_BYTES` bytes, with all but ASCII escaped."""
    sizes = accumulate(len(json.dumps(character)) - 2 for character in text)
    return text[: sum(size <= MAX_REASON_BYTES for size in sizes)]


def _compute_id(reported: ReportedUsage) -> str:
    """Return an id that is the same for every delivery of a usage and differs from that of any other, valid or not.

    As in the record, the event's id and time are part of it only if the usage has none of its own.
    """
    own = reported.usage if isinstance(reported.usage, dict) else {}
    identity = [
        None if own.get("uniqueId") else reported.event_id,
        None if own.get("meterTimeInMillis") else reported.event_time,
        reported.usage,
    ]
    return hashlib.sha256(msgspec.json.encode(identity, order="sorted")).hexdigest()[:32]


def text_member(usage: Any, name: str) -> str:
    """Return a member as canonical text, at most 200 characters, or an empty text. The usage may be any JSON value."""
    value = usage.get(name) if isinstance(usage, dict) else None
    return normalize_text(str(value))[:200] if isinstance(value, str | int) else ""
