"""The logger and the metrics of a task Lambda.

Logged: what was called, how it ended, how long it took. Never logged: the key, tokens, bodies, header values.
"""

import time

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

logger = Logger()
metrics = Metrics()


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


def flush_metrics() -> None:
    """Write the metrics that were added since the last flush, if there are any."""
    if metrics.metric_set:
        metrics.flush_metrics()
