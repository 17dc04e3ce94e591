"""Usage in an hour of the past, the same for a whole run."""

import time
from typing import Any

HOUR_SECONDS = 3600
# Six hours ago, which is longer than Amberflo needs for its report.
HOUR = (int(time.time()) // HOUR_SECONDS - 6) * HOUR_SECONDS


def build_usage(tenant: str, number: int, value: Any = 2, **fields: Any) -> dict[str, Any]:
    """Return the usage with this number, that many milliseconds after the start of ``HOUR``."""
    usage = {"tenantId": tenant, "meterApiName": "api-calls", "meterValue": value, "uniqueId": f"{tenant}/{number}"}
    return {**usage, "meterTimeInMillis": HOUR * 1000 + number, **fields}
