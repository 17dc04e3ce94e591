"""Compare the ledger with what Amberflo reports, by the workflow ``reconcile_usage``."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from amberflo_workflows.core.ledger.comparison import ComparedHour, HourOutcome
from amberflo_workflows.operate.api_client import ApiClient
from amberflo_workflows.operate.ledger.started_operation import wait_for_result

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


def start_reconciliation(client: ApiClient, request: Mapping[str, Any]) -> str:
    """Start a reconciliation and return its id; the request is that of ``POST /reconciliations``.

    Raises :class:`~amberflo_workflows.operate.errors.OperatorError`.
    """
    return str(client.call("POST", "reconciliations", body=request)["data"]["id"])


def wait_for_reconciliation(client: ApiClient, reconciliation: str) -> Reconciliation:
    """Return the result of a reconciliation when there is one. Raises ``OperatorError``, also if it fails."""
    return msgspec.convert(wait_for_result(client, "reconciliations", reconciliation), Reconciliation)
