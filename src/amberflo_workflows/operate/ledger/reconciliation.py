"""Compare the ledger with what Amberflo reports, by the workflow ``reconcile_usage``."""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from amberflo_workflows.core.ledger.comparison import ComparedHour, HourOutcome
from amberflo_workflows.operate.api_client import ApiClient
from amberflo_workflows.operate.deployment import Deployment
from amberflo_workflows.operate.started_operation import StartedOperation

OUTCOME_WORDS: Final[dict[HourOutcome, str]] = {
    "agreed": "agreed",
    "missing": "missing at Amberflo",
    "unknown": "more at Amberflo than in the ledger",
    "tooFresh": "too fresh to tell",
}


class Waiting(Struct):
    """Usage that is on neither side: rejected usage of the range, and all events in the queues."""

    rejected: int
    queued: int
    dead: int


class ReportLocation(Struct):
    """Where the complete report is."""

    bucket: str
    prefix: str


class Reconciliation(Struct, rename="camel"):
    """The numbers of hours of a meter and a tenant by outcome, and the first of those that differ."""

    id: str
    execution_arn: str
    start_time_in_seconds: int
    end_time_in_seconds: int
    outcomes: dict[str, int]
    has_drift: bool
    differences: list[ComparedHour]
    differences_omitted: int
    meters_without_sum: list[str]
    waiting: Waiting
    report: ReportLocation
    meter_api_name: str | None = None
    tenant_id: str | None = None
    late_usage: bool = False


def start_reconciliation(client: ApiClient, deployment: Deployment, request: Mapping[str, Any]) -> StartedOperation:
    """Start a reconciliation, whose result is a :class:`Reconciliation`; the request is that of the API.

    Raises :class:`~amberflo_workflows.operate.errors.OperatorError`.
    """
    return StartedOperation.start(client, deployment, "reconcile_usage", "reconciliations", request)
