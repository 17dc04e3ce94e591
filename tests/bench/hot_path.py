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

from amberflo_workflows.core.chunks import MAX_CHUNK_USAGES, extract_usages, split_into_chunks
from amberflo_workflows.core.json_text import parse_json
from amberflo_workflows.core.reported_usage import ReportedUsage
from amberflo_workflows.core.usage_record import UsageRecord, build_record, check_countable
from amberflo_workflows.entrypoints import ingest_queue
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
    events = [parse_json(body) for body in bodies]
    usages = _extract_all(messages)
    text = _encode_input(usages)
    inputs = _parse_input(text)
    records = _build_records(inputs)
    payloads = _encode_requests(records)
    floor_decoder = msgspec.json.Decoder(_Event)

    def run_floor() -> list[bytes]:
        return _compress(_encode_requests([_convert(floor_decoder.decode(body).detail) for body in bodies]))

    def run_all() -> list[bytes]:
        records = _build_records(_parse_input(_encode_input(_extract_all(messages))))
        _check_all(records)
        return _compress(_encode_requests(records))

    return {
        FLOOR: run_floor,
        TOTAL: run_all,
        "queue: parse the body": lambda: [parse_json(body) for body in bodies],
        "queue: depth and encodability": lambda: [
            extract_usages(event["detail"], event_id=event["id"], event_time=event["time"]) for event in events
        ],
        "queue: all of a message": lambda: _extract_all(messages),
        "queue: sizes and chunks": lambda: list(split_into_chunks((None, usage) for usage in usages)),
        "queue: encode the input": lambda: msgspec.json.encode({"usages": usages}),
        "step: parse the input": lambda: _parse_input(text),
        "step: records": lambda: _build_records(inputs),
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


def _extract_all(messages: list[dict[str, Any]]) -> list[ReportedUsage]:
    return [usage for message in messages for _, usage in ingest_queue._extract_usages(message)]


def _encode_input(usages: list[ReportedUsage]) -> str:
    """The input of the step, as the queue function and the workflow make it."""
    chunks = list(split_into_chunks((None, usage) for usage in usages))
    return "".join(msgspec.json.encode({"usages": [usage for _, usage in chunk]}).decode() for chunk in chunks)


def _parse_input(text: str) -> list[ReportedUsage]:
    # Lambda's runtime client parses the event.
    return msgspec.convert(json.loads(text)["usages"], list[ReportedUsage])


def _build_records(usages: list[ReportedUsage]) -> list[UsageRecord]:
    return [
        build_record(usage.usage, event_id=usage.event_id, event_time=usage.event_time, reason=usage.reason)
        for usage in usages
    ]


def _check_all(records: list[UsageRecord]) -> None:
    now = int(time.time() * 1000)
    for record in records:
        check_countable(record, now_in_millis=now)


def _encode_requests(records: list[UsageRecord]) -> list[bytes]:
    return [msgspec.json.encode(records[start : start + _BATCH]) for start in range(0, len(records), _BATCH)]


def _compress(payloads: list[bytes]) -> list[bytes]:
    return [gzip.compress(payload, compresslevel=1, mtime=0) for payload in payloads]
