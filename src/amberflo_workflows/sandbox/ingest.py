"""``POST /ingest``: what Amberflo takes as usage, and how it says that it did."""

import gzip
import json
import sys
import time
import zlib
from typing import Any, Final

import msgspec

from amberflo_workflows.sandbox.errors import RequestRejected
from amberflo_workflows.sandbox.journal import Record
from amberflo_workflows.sandbox.settings import SandboxSettings

# The marker with which Amberflo's Go SDK takes an event back.
CANCEL_DIMENSION: Final = "aflo.cancel_previous_resource_event"
_DAY_MS: Final = 86_400_000
_BACKFILL_MS: Final = 60 * _DAY_MS
_AHEAD_MS: Final = 5 * 60_000
_INT64: Final = 2**63


def parse_records(body: bytes, encoding: str, settings: SandboxSettings) -> list[list[Record]]:
    """The records of a body, each with its value of every meter: an object, an array, or an object a line.

    gzip if ``encoding`` says so.

    One wrong record refuses the whole body (not documented; assumed). Raises :class:`RequestRejected`.
    """
    if len(body) > settings.max_body_bytes:
        raise RequestRejected("Invalid request: the body is too large", 413)
    try:
        text = gzip.decompress(body) if encoding == "gzip" else body
        given = _decode(text)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, msgspec.DecodeError) as error:
        raise RequestRejected(f"Invalid request: {error}") from None
    now = time.time()
    return [_build_records(item, now, settings) for item in given]


def build_response_text(count: int) -> str:
    """Amberflo's answer: text, and plural whatever the number."""
    return f"{count} records were ingested"


def _decode(text: bytes) -> list[Any]:
    try:
        given = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return [msgspec.json.decode(line) for line in text.splitlines() if line.strip()]
    return given if isinstance(given, list) else [given]


def _build_records(item: Any, now: float, settings: SandboxSettings) -> list[Record]:
    if not isinstance(item, dict):
        raise RequestRejected("Invalid request: a record must be an object")
    customer, at_ms = item.get("customerId"), item.get("meterTimeInMillis")
    if not isinstance(customer, str) or not customer:
        raise RequestRejected("Invalid request: 'customerId' is required")
    if isinstance(at_ms, bool) or not isinstance(at_ms, int) or not 0 < at_ms < _INT64:
        raise RequestRejected("Invalid request: 'meterTimeInMillis' must be a positive number")
    dimensions = _read_dimensions(item.get("dimensions") or {}, settings)
    cancels = dimensions.pop(CANCEL_DIMENSION, "") == "true"
    if settings.strict and not now * 1000 - _BACKFILL_MS <= at_ms <= now * 1000 + _AHEAD_MS:
        raise RequestRejected("Invalid request: 'meterTimeInMillis' is out of range")
    canonical = json.dumps(dimensions, sort_keys=True)
    unique_id = str(item.get("uniqueId") or "")
    return [
        Record(meter, customer, at_ms, value, unique_id, canonical, now, cancels) for meter, value in _read_values(item)
    ]


def _read_values(item: dict[str, Any]) -> list[tuple[str, float]]:
    """Meter and value, or several under ``values``."""
    pairs = (
        item["values"] if isinstance(item.get("values"), dict) else {item.get("meterApiName"): item.get("meterValue")}
    )
    found = []
    for meter, value in pairs.items():
        if not isinstance(meter, str) or not meter:
            raise RequestRejected("Invalid request: 'meterApiName' is required")
        if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > sys.float_info.max:
            raise RequestRejected("Invalid request: 'meterValue' must be a number")
        found.append((meter, float(value)))
    return found


def _read_dimensions(given: Any, settings: SandboxSettings) -> dict[str, str]:
    """Dimensions as text: Amberflo keeps no other kind."""
    if not isinstance(given, dict):
        raise RequestRejected("Invalid request: 'dimensions' must be an object")
    dimensions = {}
    for key, value in given.items():
        if isinstance(value, dict | list):
            raise RequestRejected(f"Invalid request: dimension '{key}' must be a string")
        text = value if isinstance(value, str) else json.dumps(value)
        if settings.strict and not (1 <= len(text) <= 200 and "/" not in text and "|" not in text):
            raise RequestRejected(f"Invalid request: dimension '{key}' has an invalid value")
        dimensions[key] = text
    return dimensions
