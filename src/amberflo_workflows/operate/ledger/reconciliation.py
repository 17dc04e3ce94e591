"""Compare the ledger with what Amberflo reports, by the workflow ``reconcile_usage``."""

import time
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from amberflo_workflows.core.ledger.comparison import ComparedHour
from amberflo_workflows.operate.api_client import ApiClient
from amberflo_workflows.operate.errors import OperatorError

_POLL_SECONDS: Final = 0.5


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


def start_reconciliation(client: ApiClient, request: Mapping[str, Any]) -> str:
    """Start a reconciliation and return its id; the request is that of ``POST /reconciliations``.

    Raises :class:`OperatorError`.
    """
    return str(client.call("POST", "reconciliations", body=request)["data"]["id"])


def wait_for_reconciliation(client: ApiClient, reconciliation: str) -> Reconciliation:
    """Return the result of a reconciliation when there is one. Raises :class:`OperatorError`, also if it fails."""
    while True:
        data = client.call("GET", "reconciliations", reconciliation)["data"]
        if data["status"] == "succeeded":
            return msgspec.convert(data["result"], Reconciliation)
        if data["status"] == "failed":
            raise OperatorError(
                f"The reconciliation failed with {data.get('error')}. See: {client.command} executions show "
                f"{reconciliation}"
            )
        time.sleep(_POLL_SECONDS)
