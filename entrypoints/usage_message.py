"""The usages of a message of the queue, whose body is an EventBridge event as JSON.

Two ways lead to the same usages. A plain event, as nearly every one is, is decoded by msgspec. Everything else is read
leniently, at ten times the cost, so that one value that cannot be carried does not affect the rest of a message:
numbers that are not finite or too long, text that is not valid Unicode, members that an object has twice, deep
nesting, events without an id or a time, and what is no event at all. ``tests/entrypoints/test_usage_message.py``
compares the two.
"""

from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from msgspec import Struct

from amberflo_workflows.core.chunks import EncodedUsage, encode_usage, extract_usages, split_detail
from amberflo_workflows.core.json_text import parse_json

_Scalar = str | int | float | bool | None
_Members = dict[str, _Scalar | dict[str, _Scalar]]


class _PlainEvent(Struct, rename={"detail_type": "detail-type"}):
    """An event with the members that EventBridge gives it, in its order, and usages that are not nested deep.

    The members that nothing reads are here because their quotes are counted.
    """

    version: str
    id: str
    detail_type: str
    source: str
    account: str
    time: str
    region: str
    resources: list[str]
    detail: dict[str, _Scalar | dict[str, _Scalar] | list[_Members]]


_decode_plain: Final = msgspec.json.Decoder(_PlainEvent).decode
# The names of nine members, and seven texts.
_ENVELOPE_QUOTES: Final = 2 * (9 + 7)
# Around the usage of a reported usage: the names of four members, and two texts.
_REPORT_QUOTES: Final = 2 * (4 + 2)


def read_usages(record: dict[str, Any]) -> list[EncodedUsage[str]]:
    """Return the usages of an SQS message as Lambda passes it on, each with the message's id as its origin.

    A message that is not an event is one usage, so that the workflow rejects and stores it.
    """
    usages = _read_plain(record)
    return _read_leniently(record) if usages is None else usages


def _read_plain(record: dict[str, Any]) -> list[EncodedUsage[str]] | None:
    """Return the usages of a plain event, or ``None`` for any other message.

    msgspec accepts less than :func:`parse_json`, with the same result, except that it skips members that it does not
    know, and all but the last value of a member that an object has twice. Therefore quotes are counted: each name and
    each text has two. If the body has as many as what was decoded from it, nothing was skipped. An escaped quote can
    only add to those of the body, since a usage whose JSON has a backslash is not plain.
    """
    body: str = record["body"]
    try:
        event = _decode_plain(body)
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
        return None
    if not event.id.strip() or not event.time.strip():
        return None
    quotes = _ENVELOPE_QUOTES + 2 * len(event.resources)
    if isinstance(event.detail.get("records"), list):
        quotes += 2
    message_id: str = record["messageId"]
    has_escapes = "\\" in body
    usages = []
    for usage in split_detail(event.detail, event_id=event.id, event_time=event.time):
        text = msgspec.json.encode(usage)
        if has_escapes and b"\\" in text:
            return None
        quotes += text.count(b'"') - _REPORT_QUOTES
        usages.append(EncodedUsage(message_id, usage, text))
    return usages if quotes == body.count('"') else None


def _read_leniently(record: dict[str, Any]) -> list[EncodedUsage[str]]:
    """Return the usages of any message."""
    message_id, body = record["messageId"], record["body"]
    event = parse_json(body)
    sent = datetime.fromtimestamp(int(record["attributes"]["SentTimestamp"]) / 1000, UTC).isoformat()
    try:
        if isinstance(event, dict) and "detail" in event:
            event_id = _read_text(event.get("id"), default=message_id)
            event_time = _read_text(event.get("time"), default=sent)
            usages = extract_usages(event["detail"], event_id=event_id, event_time=event_time)
        else:
            usages = extract_usages(body, event_id=message_id, event_time=sent)
    except RecursionError:
        usages = extract_usages(body, event_id=message_id, event_time=sent)
    return [encode_usage(message_id, usage) for usage in usages]


def _read_text(value: object, default: str) -> str:
    """Return an event's id or time as text that can be encoded.

    The default is for a message that has none: absent, null, blank or not a plain value. Messages without an id would
    otherwise all have the same identity, and count as one.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float) or not str(value).strip():
        return default
    return str(value).encode("utf-8", "replace").decode()
