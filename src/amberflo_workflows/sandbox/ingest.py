"""``POST /ingest``: parse usage records as Amberflo does."""

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

# Amberflo's Go SDK cancels a record by sending it again with this dimension set to "true".
CANCEL_DIMENSION: Final = "aflo.cancel_previous_resource_event"
_DAY_MS: Final = 86_400_000
_MAX_AGE_MS: Final = 60 * _DAY_MS
_MAX_FUTURE_MS: Final = 5 * 60_000
_INT64_LIMIT: Final = 2**63


def parse_records(body: bytes, encoding: str, settings: SandboxSettings) -> list[list[Record]]:
    """Parse an ingest body: a JSON object, an array of objects, or one object per line; gzip if ``encoding`` says so.

    Returns a list for each object, with one :class:`Record` per meter. Raises :class:`RequestRejected` for the
    complete body if one object is invalid (not documented; assumed).
    """
    if len(body) > settings.max_body_bytes:
        raise RequestRejected("Invalid request: the body is too large", 413)
    try:
        text = gzip.decompress(body) if encoding == "gzip" else body
        items = _decode(text)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, msgspec.DecodeError) as error:
        raise RequestRejected(f"Invalid request: {error}") from None
    now = time.time()
    return [_build_records(item, now, settings) for item in items]


def format_record(record: Record) -> dict[str, Any]:
    """Return a record as a client sends it."""
    cancellation = {CANCEL_DIMENSION: "true"} if record.cancels else {}
    return {
        "customerId": record.customer,
        "meterApiName": record.meter,
        "meterValue": record.value,
        "meterTimeInMillis": record.at_ms,
        "uniqueId": record.unique_id,
        "dimensions": {**json.loads(record.dimensions), **cancellation},
    }


def build_response_text(count: int) -> str:
    """Amberflo's response: plain text, always in the plural."""
    return f"{count} records were ingested"


def _decode(text: bytes) -> list[Any]:
    try:
        document = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return [msgspec.json.decode(line) for line in text.splitlines() if line.strip()]
    return document if isinstance(document, list) else [document]


def _build_records(item: Any, now: float, settings: SandboxSettings) -> list[Record]:
    if not isinstance(item, dict):
        raise RequestRejected("Invalid request: a record must be an object")
    customer, at_ms = item.get("customerId"), item.get("meterTimeInMillis")
    if not isinstance(customer, str) or not customer:
        raise RequestRejected("Invalid request: 'customerId' is required")
    if isinstance(at_ms, bool) or not isinstance(at_ms, int) or not 0 < at_ms < _INT64_LIMIT:
        raise RequestRejected("Invalid request: 'meterTimeInMillis' must be a positive number")
    dimensions = _read_dimensions(item.get("dimensions") or {}, settings)
    cancels = dimensions.pop(CANCEL_DIMENSION, "") == "true"
    if settings.strict and not now * 1000 - _MAX_AGE_MS <= at_ms <= now * 1000 + _MAX_FUTURE_MS:
        raise RequestRejected("Invalid request: 'meterTimeInMillis' is out of range")
    canonical = json.dumps(dimensions, sort_keys=True)
    unique_id = str(item.get("uniqueId") or "")
    return [
        Record(meter, customer, at_ms, value, unique_id, canonical, now, cancels) for meter, value in _read_values(item)
    ]


def _read_values(item: dict[str, Any]) -> list[tuple[str, float]]:
    """Return the meters and their values: one pair, or several under ``values``."""
    pairs = (
        item["values"] if isinstance(item.get("values"), dict) else {item.get("meterApiName"): item.get("meterValue")}
    )
    values = []
    for meter, value in pairs.items():
        if not isinstance(meter, str) or not meter:
            raise RequestRejected("Invalid request: 'meterApiName' is required")
        if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > sys.float_info.max:
            raise RequestRejected("Invalid request: 'meterValue' must be a number")
        values.append((meter, float(value)))
    return values


def _read_dimensions(raw: Any, settings: SandboxSettings) -> dict[str, str]:
    """Return the dimensions with their values as text, the only type that Amberflo stores."""
    if not isinstance(raw, dict):
        raise RequestRejected("Invalid request: 'dimensions' must be an object")
    dimensions = {}
    for key, value in raw.items():
        if isinstance(value, dict | list):
            raise RequestRejected(f"Invalid request: dimension '{key}' must be a string")
        text = value if isinstance(value, str) else json.dumps(value)
        if settings.strict and not (1 <= len(text) <= 200 and "/" not in text and "|" not in text):
            raise RequestRejected(f"Invalid request: dimension '{key}' has an invalid value")
        dimensions[key] = text
    return dimensions
