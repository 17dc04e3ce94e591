"""CPU time of a usage in the step that sends it, and the share of the canonical form of its texts."""

import json
import time
from collections.abc import Callable
from typing import Any, Final
from unittest import mock

import msgspec

from amberflo_workflows.core import usage_record
from amberflo_workflows.core.chunks import MAX_CHUNK_USAGES
from amberflo_workflows.core.reported_usage import ReportedUsage
from amberflo_workflows.core.usage_record import build_record

RUNS: Final = 100
TENANTS: Final = {"ASCII": "acme", "accents": "Café Zürich GmbH", "Hangul": "\ud55c\uad6d \ud68c\uc0ac"}


def measure() -> list[dict[str, Any]]:
    """Microseconds per usage of a full chunk: the best of many runs, with and without the form, in turn.

    The step parses its input, builds and encodes the records, and encodes its output. The calls to Amberflo and to the
    Lambda service are left out; with them the share is smaller.
    """
    return [_measure_tenant(name, tenant) for name, tenant in TENANTS.items()]


def _measure_tenant(name: str, tenant: str) -> dict[str, Any]:
    text = json.dumps({"request": {"usages": [_report(tenant, index) for index in range(MAX_CHUNK_USAGES)]}})
    with_form, without_form = float("inf"), float("inf")
    for _ in range(RUNS):
        with_form = min(with_form, _measure_seconds(lambda: _process(text)))
        # Patched out, because nothing else is the same step without it.
        with mock.patch.multiple(usage_record, normalize_text=lambda text: text, is_canonical=lambda _text: True):
            without_form = min(without_form, _measure_seconds(lambda: _process(text)))
    return {
        "texts": name,
        "microseconds": round(with_form / MAX_CHUNK_USAGES * 1e6, 1),
        "without_canonical_texts": round(without_form / MAX_CHUNK_USAGES * 1e6, 1),
        "percent": round((with_form / without_form - 1) * 100, 1),
    }


def _report(tenant: str, index: int) -> dict[str, Any]:
    dimensions = {"region": "eu-central-1", "model": "large", "status": 200}
    usage = {"tenantId": tenant, "meterApiName": "api-calls", "meterValue": 3.5, "dimensions": dimensions}
    unique = {"uniqueId": f"usage-{index}", "meterTimeInMillis": 1_795_514_400_000 + index}
    return {"eventId": "event", "eventTime": "2026-11-24T10:00:00Z", "index": index, "usage": {**usage, **unique}}


def _process(text: str) -> str:
    usages = msgspec.convert(json.loads(text)["request"]["usages"], list[ReportedUsage])
    records = [build_record(usage.usage, event_id=usage.event_id, event_time=usage.event_time) for usage in usages]
    msgspec.json.encode(records)
    return json.dumps({"counted": [record.unique_id for record in records], "rejected": []})


def _measure_seconds(function: Callable[[], object]) -> float:
    started = time.process_time()
    function()
    return time.process_time() - started
