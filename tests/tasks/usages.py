"""Usage for the steps, and what Amberflo has counted."""

import time
from typing import Any

from tests.tasks.conftest import Steps

NOW = int(time.time())


def build_usage(number: int = 0, **fields: Any) -> dict[str, Any]:
    usage = {"tenantId": "t1", "meterApiName": "api-calls", "meterValue": 2, **fields}
    time_ = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(NOW - 60))
    return {"eventId": f"e{number}", "eventTime": time_, "index": number, "usage": usage}


def fetch_usage(steps: Steps, **question: Any) -> Any:
    return steps.run("fetch_usage", {"question": {"meterId": "m", **question}, "meterApiName": "api-calls"})


def fetch_total(steps: Steps, **question: Any) -> float:
    response = fetch_usage(steps, **question)
    assert response["statusCode"] == 200, response
    values: list[float] = [group["groupValue"] for group in response["body"]["data"]["clientMeters"]]
    return sum(values)
