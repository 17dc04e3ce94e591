"""Whether a billing period is ready to be invoiced, by the workflow ``close_period``."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from amberflo_workflows.operate.api_client import ApiClient
from amberflo_workflows.operate.deployment import Deployment
from amberflo_workflows.operate.started_operation import StartedOperation


class PeriodReason(Struct):
    """Why a period is not ready."""

    code: str
    count: int
    message: str


class ClosedPeriod(Struct, rename="camel"):
    """Whether a period, in epoch seconds, is ready; its reconciliation has the details."""

    id: str
    start_time_in_seconds: int
    end_time_in_seconds: int
    is_ready: bool
    reasons: list[PeriodReason]
    reconciliation: str


def start_closing(client: ApiClient, deployment: Deployment, request: Mapping[str, Any]) -> StartedOperation:
    """Start to close a period; the result is a :class:`ClosedPeriod`, and the request that of the API.

    Raises :class:`~amberflo_workflows.operate.errors.OperatorError`.
    """
    return StartedOperation.start(client, deployment, "close_period", "periods", request)
