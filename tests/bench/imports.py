"""Import times of each Lambda's handler from the bundle, in a new process with byte code."""

import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from amberflo_workflows.infra.bundle import bundle
from amberflo_workflows.infra.settings import Runtime

RUNS = 10
REFERENCE = "import boto3, requests; from aws_lambda_powertools.event_handler import APIGatewayHttpResolver"
_CODE = """
import sys, time
sys.path.insert(0, {bundle!r})
started = time.perf_counter()
{statement}
print(time.perf_counter() - started)
"""
# Environment variables of every Lambda of the stack.
_ENVIRONMENT = {"POWERTOOLS_SERVICE_NAME": "bench", "POWERTOOLS_METRICS_NAMESPACE": "bench"}


def measure() -> list[dict[str, Any]]:
    """Median milliseconds of each import, and their ratio to the reference: boto3, requests and an event handler."""
    code = bundle(Runtime.for_this_machine())
    handlers = sorted(
        str(path.relative_to(code).with_suffix("")).replace("/", ".")
        for path in (code / "amberflo_workflows").rglob("*.py")
        if "\ndef handler(" in path.read_text()
    )
    # The packages have byte code already; this first run reads the files from the disk.
    _measure_seconds(code, REFERENCE)
    reference = _measure_median(code, REFERENCE)
    rows = [{"handler": "boto3 + requests + Powertools' event handler", "milliseconds": reference, "share": 1.0}]
    for handler in handlers:
        milliseconds = _measure_median(code, f"import {handler}")
        name = handler.removeprefix("amberflo_workflows.")
        rows.append({"handler": name, "milliseconds": milliseconds, "share": round(milliseconds / reference, 2)})
    return rows


def _measure_median(code: Path, statement: str) -> float:
    return round(statistics.median(_measure_seconds(code, statement) for _ in range(RUNS)) * 1000, 1)


def _measure_seconds(code: Path, statement: str) -> float:
    program = _CODE.format(bundle=str(code), statement=statement)
    process = subprocess.run(
        [sys.executable, "-c", program], env=_ENVIRONMENT, capture_output=True, text=True, check=True
    )
    return float(process.stdout)
