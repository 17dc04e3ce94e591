"""Usages for the system tests: a real trace where it is at hand, else generated ones."""

import csv
import os
import time
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from amberflo_workflows.local.demo.usages import generate_usages

TRACE = Path(os.environ.get("METERING_TRACE", Path(__file__).parents[3] / "shared" / "data" / "llm_requests.csv"))
TENANTS = ("acme", "globex", "initech", "umbrella", "stark")


def usages(count: int) -> list[dict[str, Any]]:
    """``count`` usages, two of each request to a language model; the first request is a day ago."""
    if not TRACE.exists():
        return generate_usages(count)
    found: list[dict[str, Any]] = []
    with TRACE.open(newline="") as file:
        shift = 0.0
        for number, row in enumerate(islice(csv.DictReader(file), count // 2)):
            moment = datetime.fromisoformat(row["TIMESTAMP"][:26] + "+00:00").timestamp()
            shift = shift or time.time() - 86_400 - moment
            for meter, column in (("context-tokens", "ContextTokens"), ("generated-tokens", "GeneratedTokens")):
                found.append(
                    {
                        "tenantId": TENANTS[number % len(TENANTS)],
                        "meterApiName": meter,
                        "meterValue": int(row[column]),
                        "meterTimeInMillis": int((moment + shift) * 1000),
                        "uniqueId": f"request-{number}-{column}",
                    }
                )
    return found
