"""The logger and the metrics of a Lambda.

Logged: what was called, how it ended, how long it took. Never logged: the key, tokens, bodies, header values.
"""

import os
import time
from typing import Final

from aws_lambda_powertools import Logger, Metrics, single_metric
from aws_lambda_powertools.metrics import MetricUnit

# All deployments in an account share a namespace. Without this dimension one would ring the alarms of another.
_NAME: Final = os.environ.get("DEPLOYMENT_NAME")
_DIMENSIONS: Final = {"deployment": _NAME} if _NAME else {}

logger = Logger()
metrics = Metrics()
metrics.set_default_dimensions(**_DIMENSIONS)


def record_call(method: str, outcome: str, started: float) -> None:
    """Log and count one HTTP attempt.

    ``outcome`` is the status or the error's name, ``started`` the value of ``time.monotonic()`` at the start.
    """
    milliseconds = (time.monotonic() - started) * 1000
    logger.info("amberflo call", extra={"method": method, "outcome": outcome, "milliseconds": round(milliseconds)})
    metrics.add_metric("AmberfloCalls", MetricUnit.Count, 1)
    metrics.add_metric("AmberfloLatency", MetricUnit.Milliseconds, milliseconds)
    if outcome != "200":
        metrics.add_metric("AmberfloFailedCalls", MetricUnit.Count, 1)


def count_for_alarm(name: str, service: str) -> None:
    """Count one in a metric of several Lambdas, since an alarm watches the metric of one ``service`` only."""
    with single_metric(name=name, unit=MetricUnit.Count, value=1, default_dimensions=_DIMENSIONS) as metric:
        metric.add_dimension("service", service)


def flush_metrics() -> None:
    """Write the metrics that were added since the last flush, if there are any."""
    if metrics.metric_set:
        metrics.flush_metrics()
