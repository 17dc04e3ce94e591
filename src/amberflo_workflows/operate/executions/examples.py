"""A valid example input for each workflow. The names of all that they create or read start with ``example-``."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

METER: Final = "example-calls"
TENANT: Final = "example-tenant"
# The key of a file with one usage in the backfill bucket.
FILE: Final = "example-usage.ndjson"
_UNKNOWN_METER: Final = "example-meter"

Example = Callable[[Mapping[str, str], float], Any]


def build_example_input(workflow: str, outputs: Mapping[str, str], now: float) -> Any:
    """Build the example input of a workflow; ``outputs`` are the stack's, ``now`` is in epoch seconds."""
    return _EXAMPLES[workflow](outputs, now)


def _build_ingest_usage_input(_outputs: Mapping[str, str], now: float) -> Any:
    usage = {"tenantId": TENANT, "meterApiName": METER, "meterValue": 1}
    event_id = f"example-{int(now * 1000)}"
    reported = {"eventId": event_id, "eventTime": _format_time(now), "index": 0, "usage": usage}
    return {"usages": [reported], "callerWaits": True}


def _build_tenant_event(detail_type: str) -> Example:
    def build(_outputs: Mapping[str, str], now: float) -> Any:
        detail = {"tenantId": TENANT, "tenantData": {"tenantName": "Example"}}
        envelope = {"detail-type": detail_type, "source": "example"}
        return {"id": f"example-{int(now * 1000)}", "time": _format_time(now), **envelope, "detail": detail}

    return build


def _build_list_records_input(_outputs: Mapping[str, str], now: float) -> Any:
    time_range = {"startTimeInSeconds": int(now) - 86_400, "endTimeInSeconds": int(now)}
    return {"meterApiName": METER, "tenantId": TENANT, **time_range}


def _build_last_hour(_outputs: Mapping[str, str], now: float) -> Any:
    end = int(now) // 3600 * 3600
    return {"startTimeInSeconds": end - 3600, "endTimeInSeconds": end}


def _constant(request: Mapping[str, Any]) -> Example:
    return lambda _outputs, _now: request


def _format_time(now: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))


_EXAMPLES: Final[dict[str, Example]] = {
    "create_meter": _constant({"label": "Example calls", "meterApiName": METER, "meterType": "sum_of_all_usage"}),
    "list_meters": _constant({}),
    "get_meter": _constant({"meterId": _UNKNOWN_METER}),
    "update_meter": _constant({"meterId": _UNKNOWN_METER, "label": "Calls of the example"}),
    "delete_meter": _constant({"meterId": _UNKNOWN_METER}),
    "list_customers": _constant({}),
    "get_customer": _constant({"customerId": TENANT}),
    "list_usage": _constant({}),
    "fetch_usage": _constant({"meterApiName": METER}),
    "list_records": _build_list_records_input,
    "cancel_usage": _constant(
        {
            "id": "example-rule",
            "meterApiName": METER,
            "ingestionTimeRange": {"startTimeInSeconds": 1, "endTimeInSeconds": 2},
        }
    ),
    "ingest_usage": _build_ingest_usage_input,
    "backfill_usage": lambda outputs, _now: {"bucket": outputs["BackfillBucketName"], "key": FILE},
    "reconcile_usage": _build_last_hour,
    "replay_usage": lambda outputs, now: {**_build_last_hour(outputs, now), "dryRun": True},
    "close_period": _build_last_hour,
    "create_customer": _build_tenant_event("onboardingRequest"),
    "delete_customer": _build_tenant_event("offboardingRequest"),
}
