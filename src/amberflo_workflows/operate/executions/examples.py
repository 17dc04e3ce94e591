"""A valid input of each workflow, for a first try. All that they make or ask for begins with ``example-``."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

METER: Final = "example-calls"
TENANT: Final = "example-tenant"
# A file with a usage in it, for the bucket that files are read from.
FILE: Final = "example-usage.ndjson"
_UNKNOWN_METER: Final = "example-meter"

Example = Callable[[Mapping[str, str], float], Any]


def example_input(workflow: str, outputs: Mapping[str, str], now: float) -> Any:
    """The input of a workflow; ``outputs`` are the stack's, ``now`` is in epoch seconds."""
    return _EXAMPLES[workflow](outputs, now)


def _ingest_usage(_outputs: Mapping[str, str], now: float) -> Any:
    usage = {"tenantId": TENANT, "meterApiName": METER, "meterValue": 1}
    identity = f"example-{int(now * 1000)}"
    return {"usages": [{"eventId": identity, "eventTime": _iso(now), "index": 0, "usage": usage}], "callerWaits": True}


def _tenant_event(detail_type: str) -> Example:
    def event(_outputs: Mapping[str, str], now: float) -> Any:
        detail = {"tenantId": TENANT, "tenantData": {"tenantName": "Example"}}
        identity = f"example-{int(now * 1000)}"
        return {"id": identity, "time": _iso(now), "detail-type": detail_type, "source": "example", "detail": detail}

    return event


def _always(request: Mapping[str, Any]) -> Example:
    return lambda _outputs, _now: request


def _iso(now: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))


_EXAMPLES: Final[dict[str, Example]] = {
    "create_meter": _always({"label": "Example calls", "meterApiName": METER, "meterType": "sum_of_all_usage"}),
    "list_meters": _always({}),
    "get_meter": _always({"meterId": _UNKNOWN_METER}),
    "update_meter": _always({"meterId": _UNKNOWN_METER, "label": "Calls of the example"}),
    "delete_meter": _always({"meterId": _UNKNOWN_METER}),
    "fetch_usage": _always({"meterId": _UNKNOWN_METER, "meterApiName": METER}),
    "cancel_usage": _always(
        {
            "id": "example-rule",
            "meterApiName": METER,
            "ingestionTimeRange": {"startTimeInSeconds": 1, "endTimeInSeconds": 2},
        }
    ),
    "ingest_usage": _ingest_usage,
    "backfill_usage": lambda outputs, _now: {"bucket": outputs["BackfillBucketName"], "key": FILE},
    "create_customer": _tenant_event("onboardingRequest"),
    "delete_customer": _tenant_event("offboardingRequest"),
}
