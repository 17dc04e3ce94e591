"""Usages for the system tests: from the trace that ``METERING_TRACE`` names, else generated ones."""

import csv
import os
import time
from collections import Counter
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from amberflo_workflows.local.demo.usages import generate_usages

TENANTS = ("acme", "globex", "initech", "umbrella", "stark")
# Each meter with the trace's column.
COLUMNS = {"context-tokens": "ContextTokens", "generated-tokens": "GeneratedTokens"}
METERS = tuple(COLUMNS)


def load_usages(count: int) -> list[dict[str, Any]]:
    """``count`` usages, two of each request to a language model; the first request was a day ago."""
    trace = os.environ.get("METERING_TRACE")
    if not trace:
        return generate_usages(count)
    with Path(trace).open(newline="") as file:
        rows = list(islice(csv.DictReader(file), count // 2))
    times = [datetime.fromisoformat(row["TIMESTAMP"][:26] + "+00:00").timestamp() for row in rows]
    shift = time.time() - 86_400 - times[0]
    return [
        {
            "tenantId": TENANTS[number % len(TENANTS)],
            "meterApiName": meter,
            "meterValue": int(row[column]),
            "meterTimeInMillis": int((timestamp + shift) * 1000),
            "uniqueId": f"request-{number}-{column}",
        }
        for number, (row, timestamp) in enumerate(zip(rows, times, strict=True))
        for meter, column in COLUMNS.items()
    ]


def sum_by_meter(usages: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """The expected totals of each meter, by tenant."""
    sums: dict[str, Counter[str]] = {meter: Counter() for meter in METERS}
    for usage in usages:
        sums[usage["meterApiName"]][usage["tenantId"]] += usage["meterValue"]
    return {meter: dict(totals) for meter, totals in sums.items()}
