"""What the compared designs cost a month besides their traffic, and how they treat queued usage."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from amberflo_workflows.infra.memory import get_memory_mb
from amberflo_workflows.infra.settings import Settings
from tests.bench import prices

SECONDS_PER_MONTH: Final = 30 * 86_400
# An event source mapping starts with five pollers, each of which collects one batch after the other.
POLLERS: Final = 5
# Events in a full batch, by usages per event. A batch has at most 1,000 messages or 6 MB, which are 70 events of 300.
FULL_BATCHES: Final = {1: 1_000, 300: 70}
# Five pollers poll an empty queue every 20 s, and five processes read the secret every five minutes.
_IDLE: Final = POLLERS * SECONDS_PER_MONTH * (prices.SQS_REQUEST / 20 + prices.SECRETS_REQUEST / 300)


@dataclass(frozen=True)
class Design:
    """A release with its default settings.

    ``metrics`` have a value in every hour if nothing fails and no HTTP call is made; CloudWatch charges for no others.
    ``get_memory_mb`` returns the memory of a function.
    """

    window_seconds: int
    alarms: int
    metrics: int
    dashboards: int
    traces_ingest: bool
    logs_executions: bool
    get_memory_mb: Callable[[str], int]

    def compute_events_per_batch(self, usages_per_month: int, usages_per_event: int) -> int:
        """The number of events that a poller collects in the batching window."""
        per_second = usages_per_month / usages_per_event / SECONDS_PER_MONTH
        collected = round(per_second * self.window_seconds / POLLERS)
        return min(FULL_BATCHES[usages_per_event], max(1, collected))

    def list_fixed_dollars(self) -> dict[str, float]:
        """Dollars per month without any traffic, by item."""
        return {
            "alarms": self.alarms * prices.ALARM,
            "metrics": self.metrics * prices.METRIC,
            "dashboard": self.dashboards * prices.DASHBOARD,
            "secret": prices.SECRET,
            "polling": _IDLE,
        }


# The release 0.2: two alarms for each workflow, and four metrics for each batch.
BEFORE: Final = Design(
    window_seconds=1,
    alarms=35,
    metrics=4,
    dashboards=1,
    traces_ingest=True,
    logs_executions=True,
    get_memory_mb=lambda _: 512,
)
# tests/infra/test_monitoring.py counts the alarms in the template. Metrics have a value after a failure only.
AFTER: Final = Design(
    window_seconds=Settings().ingest_window_seconds,
    alarms=15,
    metrics=0,
    dashboards=int(Settings().dashboard),
    traces_ingest=Settings().trace_ingest,
    logs_executions=Settings().ingest_log == "ALL_WITHOUT_DATA",
    get_memory_mb=get_memory_mb,
)
