"""Processor time of a queued usage from the body of its SQS message to the compressed request, part by part.

Single events of one usage each. The floor is what no design can avoid: to parse each body, make a record of it, and
encode and compress the records. It parses into types and checks nothing.
"""

import gzip
import json
import time
from collections.abc import Callable
from typing import Any, Final

import msgspec

from amberflo_workflows.core.chunks import MAX_CHUNK_USAGES, EncodedUsage, encode_chunk, encode_usage, split_into_chunks
from amberflo_workflows.core.reported_usage import ReportedUsage
from amberflo_workflows.core.usage_record import UsageRecord, _build_any_record, build_record, check_countable
from amberflo_workflows.entrypoints import usage_message
from amberflo_workflows.tasks import send_usages
from amberflo_workflows.tasks.send_usages import SendUsages
from tests.bench.events import build_batch

RUNS: Final = 200
FLOOR: Final = "floor: typed parsing, record, encoding, gzip"
TOTAL: Final = "all, as the functions call them"
_BATCH: Final = 100


class _Usage(msgspec.Struct, rename="camel"):
    tenant_id: str
    meter_api_name: str
    meter_value: int | float
    meter_time_in_millis: int
    unique_id: str
    dimensions: dict[str, str]


class _Event(msgspec.Struct):
    detail: _Usage


def measure(runs: int = RUNS) -> list[dict[str, Any]]:
    """Microseconds per usage of each part, the best of ``runs`` runs, and their share of the floor."""
    messages = build_batch(MAX_CHUNK_USAGES, 1)
    parts = _build_parts(messages)
    best = dict.fromkeys(parts, float("inf"))
    # In turn, so that a change of the machine's speed is the same for all.
    for _ in range(runs):
        for name, part in parts.items():
            started = time.process_time()
            part()
            best[name] = min(best[name], time.process_time() - started)
    return [
        {
            "part": name,
            "microseconds": round(seconds * 1e6 / MAX_CHUNK_USAGES, 2),
            "ratio": round(seconds / best[FLOOR], 2),
        }
        for name, seconds in best.items()
    ]


def _build_parts(messages: list[dict[str, Any]]) -> dict[str, Callable[[], object]]:
    """What is done for the usages of the messages, in this order."""
    bodies = [message["body"] for message in messages]
    usages = _read_all(messages)
    reports = [usage.reported for usage in usages]
    (text,) = _encode_inputs(usages)
    inputs = _parse_input(text).usages
    records = _build_records(inputs)
    payloads = _encode_requests(records)
    floor_decoder = msgspec.json.Decoder(_Event)

    def run_floor() -> list[bytes]:
        return _compress(_encode_requests([_convert(floor_decoder.decode(body).detail) for body in bodies]))

    def run_all() -> list[bytes]:
        requests = [_parse_input(text) for text in _encode_inputs(_read_all(messages))]
        records = [usage.record for request in requests for usage in send_usages._validate(request)[0]]
        return _compress(_encode_requests(records))

    return {
        FLOOR: run_floor,
        TOTAL: run_all,
        "queue: parse the body": lambda: [usage_message._decode_plain(body) for body in bodies],
        "queue: encode the usage": lambda: [encode_usage("", report) for report in reports],
        "queue: count the quotes": lambda: [
            body.count('"') == usage.text.count(b'"') for body, usage in zip(bodies, usages, strict=True)
        ],
        "queue: all of a message": lambda: _read_all(messages),
        "queue: a message that is not plain": lambda: [usage_message._read_leniently(message) for message in messages],
        "queue: chunks and inputs": lambda: _encode_inputs(usages),
        "step: parse the JSON": lambda: json.loads(text),
        "step: parse the input": lambda: _parse_input(text),
        "step: records": lambda: _build_records(inputs),
        "step: records of usages that are not plain": lambda: _build_any_records(inputs),
        "step: age and names": lambda: _check_all(records),
        "step: encode": lambda: _encode_requests(records),
        "step: gzip": lambda: _compress(payloads),
    }


def _convert(usage: _Usage) -> UsageRecord:
    return UsageRecord(
        usage.tenant_id,
        usage.meter_api_name,
        usage.meter_value,
        usage.meter_time_in_millis,
        usage.unique_id,
        usage.dimensions,
    )


def _read_all(messages: list[dict[str, Any]]) -> list[EncodedUsage[str]]:
    return [usage for message in messages for usage in usage_message.read_usages(message)]


def _encode_inputs(usages: list[EncodedUsage[str]]) -> list[str]:
    """The inputs of the step, as the queue function and the workflow make them."""
    return [msgspec.json.encode({"usages": encode_chunk(chunk)}).decode() for chunk in split_into_chunks(usages)]


def _parse_input(text: str) -> SendUsages:
    # Lambda's runtime client parses the event.
    return send_usages._parse_request(json.loads(text))


def _build_records(usages: list[ReportedUsage]) -> list[UsageRecord]:
    return [
        build_record(usage.usage, event_id=usage.event_id, event_time=usage.event_time, reason=usage.reason)
        for usage in usages
    ]


def _build_any_records(usages: list[ReportedUsage]) -> list[UsageRecord]:
    return [_build_any_record(usage.usage, usage.event_id, usage.event_time, usage.reason) for usage in usages]


def _check_all(records: list[UsageRecord]) -> None:
    now = int(time.time() * 1000)
    for record in records:
        check_countable(record, now_in_millis=now)


def _encode_requests(records: list[UsageRecord]) -> list[bytes]:
    return [msgspec.json.encode(records[start : start + _BATCH]) for start in range(0, len(records), _BATCH)]


def _compress(payloads: list[bytes]) -> list[bytes]:
    return [gzip.compress(payload, compresslevel=1, mtime=0) for payload in payloads]
