"""Usage in an hour of the past, the same for a whole run."""

import json
import time
from typing import Any

import requests

from amberflo_workflows.local.system import SECRET, System

HOUR_SECONDS = 3600
# Six hours ago, which is longer than Amberflo needs for its report.
HOUR = (int(time.time()) // HOUR_SECONDS - 6) * HOUR_SECONDS


def build_usage(tenant: str, number: int, value: Any = 2, **fields: Any) -> dict[str, Any]:
    """Return the usage with this number, that many milliseconds after the start of ``HOUR``."""
    usage = {"tenantId": tenant, "meterApiName": "api-calls", "meterValue": value, "uniqueId": f"{tenant}/{number}"}
    return {**usage, "meterTimeInMillis": HOUR * 1000 + number, **fields}


def send_elsewhere(system: System, usage: dict[str, Any], **dimensions: str) -> None:
    """Send a record to Amberflo without a workflow, and so without a receipt."""
    secret = system.client("secretsmanager").get_secret_value(SecretId=SECRET)["SecretString"]
    record = {"customerId": usage["tenantId"], "dimensions": dimensions}
    record |= {name: value for name, value in usage.items() if name != "tenantId"}
    headers = {"X-API-KEY": json.loads(secret)["apiKey"]}
    requests.post(f"{system.amberflo_url}/ingest", json=[record], headers=headers, timeout=10).raise_for_status()
