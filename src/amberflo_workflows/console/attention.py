"""What needs a person: usage that is dead, rejected or late, executions that fail, drift, and alarms."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from urllib.parse import urlencode

from botocore.exceptions import BotoCoreError, ClientError

from amberflo_workflows.console.activity import Activity
from amberflo_workflows.console.counts import QueueCounts
from amberflo_workflows.console.problems import describe
from amberflo_workflows.console.state import Console
from amberflo_workflows.console.views import format_count
from amberflo_workflows.operate.deployment import AwsDeployment
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.ledger.reconciliation_runs import list_runs

# Alarms and reconciliations change rarely, and AWS limits the rate of the calls that read them.
_MAX_AGE_SECONDS: Final = 60.0
_MAX_RUNS: Final = 5
# Usage waits for a batch for seconds; the alarm UsageLate on AWS allows 15 minutes.
_LATE_SECONDS: Final = 300.0


class Concern(NamedTuple):
    """Something that needs a person: a ``title``, what it means, and the page that shows more, if any."""

    title: str
    meaning: str
    url: str = ""
    link: str = ""


@dataclass
class Watch:
    """What the overview remembers between its updates.

    ``reconciliation`` is the id of the latest reconciliation that ended, empty if there is none.
    """

    reconciliation: str = field(default="", init=False)
    waiting_since: float | None = field(default=None, init=False)
    _rare: tuple[float, Sequence[Concern]] | None = field(default=None, init=False)

    def list_concerns(
        self, console: Console, counts: QueueCounts, activities: Sequence[Activity], now: float
    ) -> list[Concern]:
        """List what needs a person, the most urgent first; ``now`` is a monotonic time."""
        return [
            *_list_dead(counts),
            *_list_failing(activities),
            *_list_rejected(counts),
            *self._list_late(counts, now),
            *self._list_rare(console, now),
        ]

    def _list_late(self, counts: QueueCounts, now: float) -> Iterator[Concern]:
        """SQS does not say how old its messages are, so this is known only while somebody looks."""
        if not counts.waiting:
            self.waiting_since = None
            return
        self.waiting_since = self.waiting_since if self.waiting_since is not None else now
        if now - self.waiting_since >= _LATE_SECONDS:
            yield Concern(
                f"Usage has waited for {(now - self.waiting_since) / 60:.0f} min",
                f"{format_count(counts.waiting, 'message')} in the queue. No usage is lost, but it is counted late.",
                "/executions?workflow=ingest_usage&since=1h",
                "Show its executions",
            )

    def _list_rare(self, console: Console, now: float) -> Sequence[Concern]:
        if self._rare is None or now - self._rare[0] >= _MAX_AGE_SECONDS:
            self._rare = now, [*self._list_drift(console), *_list_alarms(console)]
        return self._rare[1]

    def _list_drift(self, console: Console) -> Iterator[Concern]:
        """Whether the latest reconciliation that ended found differences, or failed."""
        self.reconciliation = ""
        try:
            run = next((run for run in list_runs(console.executions, _MAX_RUNS) if not run.is_running), None)
        except (OperatorError, BotoCoreError, ClientError) as error:
            yield Concern(
                "The latest reconciliation cannot be read", describe(error), "/reconciliations", "Reconciliations"
            )
            return
        if run is None:
            return
        self.reconciliation = run.id
        link = (f"/reconciliations/{run.id}", "Show the reconciliation")
        if run.result is None:
            yield Concern("The latest reconciliation has no result", run.problem, *link)
        elif run.result.has_drift:
            yield Concern("Amberflo reports other usage than the ledger has", "A tenant's bill would be wrong.", *link)


def _list_dead(counts: QueueCounts) -> Iterator[Concern]:
    link = ("/rejected/dead", "Show dead events")
    if counts.dead_usage:
        meaning = "Processing failed five times. The usage is not counted until it is redriven."
        yield Concern(format_count(counts.dead_usage, "dead usage event"), meaning, *link)
    if counts.dead_tenant_events:
        meaning = "Processing failed. The customer in Amberflo is out of date until it is redriven."
        yield Concern(format_count(counts.dead_tenant_events, "dead tenant event"), meaning, *link)


def _list_failing(activities: Sequence[Activity]) -> Iterator[Concern]:
    for activity in activities:
        if activity.bad:
            query = urlencode({"workflow": activity.workflow, "status": activity.failures[0].status, "since": "1h"})
            title = f"{activity.bad} of {format_count(activity.total, 'execution')} of {activity.workflow} failed"
            yield Concern(title, "In the last hour.", f"/executions?{query}", "Show them")


def _list_rejected(counts: QueueCounts) -> Iterator[Concern]:
    if counts.rejected:
        title = f"{counts.rejected_text} rejected {'usage' if counts.rejected == 1 else 'usages'}"
        yield Concern(title, "Not billed until fixed and redriven.", "/rejected", "Show rejected usage")


def _list_alarms(console: Console) -> Iterator[Concern]:
    """List the stack's alarms that are in alarm. The local system has no alarms."""
    if not isinstance(console.deployment, AwsDeployment):
        return
    try:
        pages = console.client("cloudwatch").get_paginator("describe_alarms")
        prefix = f"{console.deployment.stack}-"
        for alarm in pages.paginate(AlarmNamePrefix=prefix, StateValue="ALARM").search("MetricAlarms[]"):
            yield Concern(f"Alarm {alarm['AlarmName']}", alarm.get("AlarmDescription", ""))
    except (BotoCoreError, ClientError) as error:
        yield Concern("The alarms cannot be read", describe(error))
