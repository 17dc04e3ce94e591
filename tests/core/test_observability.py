"""The metrics that a Lambda writes to its log, in a process of its own, since a Lambda reads its name at its start."""

import json
import os
import subprocess
import sys
from typing import Any

SCRIPT = """
import time
from amberflo_workflows.core import observability
for _ in range(2):
    observability.record_call("GET", "200", time.monotonic())
    observability.flush_metrics()
observability.count_for_alarm("UsagesRejected", "send_usages")
"""


def _emit(**environment: str) -> list[dict[str, Any]]:
    variables = {"POWERTOOLS_METRICS_NAMESPACE": "n", "POWERTOOLS_SERVICE_NAME": "step", **environment}
    process = subprocess.run(
        [sys.executable, "-c", SCRIPT], env={**os.environ, **variables}, capture_output=True, text=True, check=True
    )
    return [json.loads(line) for line in process.stdout.splitlines() if '"_aws"' in line]


def _list_dimensions(lines: list[dict[str, Any]]) -> list[list[dict[str, str]]]:
    return [
        [{name: line[name] for name in names} for names in line["_aws"]["CloudWatchMetrics"][0]["Dimensions"]]
        for line in lines
    ]


def test_every_metric_has_the_dimension_of_its_deployment() -> None:
    step, alarm = ({"service": name, "deployment": "Stack/Metering"} for name in ("step", "send_usages"))
    assert _list_dimensions(_emit(DEPLOYMENT_NAME="Stack/Metering")) == [[step], [step], [alarm]]


def test_without_a_deployment_there_is_no_empty_dimension() -> None:
    assert _list_dimensions(_emit()) == [[{"service": "step"}], [{"service": "step"}], [{"service": "send_usages"}]]
