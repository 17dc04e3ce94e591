"""The one logger and the one metrics object of a task Lambda.

Logged: what was called, how it ended, how long it took. Never logged: the key, tokens, bodies, header values.
"""

import time

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

logger = Logger()
metrics = Metrics()


def record_call(method: str, outcome: str, started: float) -> None:
    """Log and count one HTTP attempt that ``started`` at that monotonic second; ``outcome``: status or error name."""
    milliseconds = (time.monotonic() - started) * 1000
    logger.info("amberflo call", extra={"method": method, "outcome": outcome, "milliseconds": round(milliseconds)})
    metrics.add_metric("AmberfloCalls", MetricUnit.Count, 1)
    metrics.add_metric("AmberfloLatency", MetricUnit.Milliseconds, milliseconds)
    if outcome != "200":
        metrics.add_metric("AmberfloFailedCalls", MetricUnit.Count, 1)


def flush_metrics() -> None:
    """Write what was counted since the last flush; nothing counted writes nothing."""
    if metrics.metric_set:
        metrics.flush_metrics()
