"""Importing each Lambda's handler in a fresh process out of the bundle, with byte code."""

import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from amberflo_workflows.infra.bundle import bundle
from amberflo_workflows.infra.settings import Runtime

RUNS = 10
REFERENCE = "import boto3, requests; from aws_lambda_powertools.event_handler import APIGatewayHttpResolver"
_CODE = (
    "import sys, time; sys.path.insert(0, {bundle!r}); t = time.perf_counter(); {what}; print(time.perf_counter() - t)"
)
# What every Lambda of ours has in its environment.
_ENVIRONMENT = {"POWERTOOLS_SERVICE_NAME": "bench", "POWERTOOLS_METRICS_NAMESPACE": "bench"}


def measure() -> list[dict[str, Any]]:
    """Milliseconds, the median of ten, and the share of importing boto3, requests and Powertools' event handler."""
    code = bundle(Runtime.for_this_machine())
    handlers = sorted(
        str(path.relative_to(code).with_suffix("")).replace("/", ".")
        for path in (code / "amberflo_workflows").rglob("*.py")
        if "\ndef handler(" in path.read_text()
    )
    # The packages' byte code is there; the first run also fetches the files from the disk.
    _seconds(code, REFERENCE)
    reference = _median(code, REFERENCE)
    rows = [{"handler": "boto3 + requests + Powertools' event handler", "milliseconds": reference, "share": 1.0}]
    for handler in handlers:
        milliseconds = _median(code, f"import {handler}")
        name = handler.removeprefix("amberflo_workflows.")
        rows.append({"handler": name, "milliseconds": milliseconds, "share": round(milliseconds / reference, 2)})
    return rows


def _median(code: Path, what: str) -> float:
    return round(statistics.median(_seconds(code, what) for _ in range(RUNS)) * 1000, 1)


def _seconds(code: Path, what: str) -> float:
    program = _CODE.format(bundle=str(code), what=what)
    done = subprocess.run([sys.executable, "-c", program], env=_ENVIRONMENT, capture_output=True, text=True, check=True)
    return float(done.stdout)
