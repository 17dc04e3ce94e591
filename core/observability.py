"""The logger of a Lambda, and the metrics of alarms.

Logged: what was called, how it ended, how long it took. Never logged: the key, tokens, bodies, header values.
"""

import json
import os
import time
from typing import Final

from aws_lambda_powertools import Logger

# As in infra.alarms, which Lambdas do not have.
NAMESPACE: Final = "AmberfloWorkflows"
REJECTED: Final = "Rejected"
USAGE_DRIFT: Final = "UsageDrift"

logger = Logger()


def record_call(method: str, outcome: str, started: float) -> None:
    """Log one HTTP attempt. docs/runbook.md has queries for these lines.

    ``outcome`` is the status or the error's name, ``started`` the value of ``time.monotonic()`` at the start.
    """
    milliseconds = (time.monotonic() - started) * 1000
    logger.info("amberflo call", extra={"method": method, "outcome": outcome, "milliseconds": round(milliseconds)})


def count_rejected(count: int) -> None:
    """Count rejected usage or tenant events in the metric of the alarm ``Rejected``."""
    _count(REJECTED, count)


def count_drift(hours: int) -> None:
    """Count hours of a tenant and a meter that differ from Amberflo's, in the metric of the alarm ``UsageDrift``."""
    _count(USAGE_DRIFT, hours)


def _count(metric: str, count: int) -> None:
    """Write a metric into the log in CloudWatch's embedded metric format; zero writes nothing.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html.
    CloudWatch charges for a metric only in the hours that have a value. All Lambdas of a deployment share the metric;
    all deployments in an account share its name, so that it has a dimension.
    """
    if not count:
        return
    name = os.environ.get("DEPLOYMENT_NAME")
    dimensions = {"deployment": name} if name else {}
    directive = {
        "Namespace": NAMESPACE,
        "Dimensions": [list(dimensions)],
        "Metrics": [{"Name": metric, "Unit": "Count"}],
    }
    metadata = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}
    print(json.dumps({"_aws": metadata, **dimensions, metric: count}))
