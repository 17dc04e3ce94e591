"""Whether a billing period is ready to be invoiced, by the workflow ``close_period``."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from amberflo_workflows.operate.api_client import ApiClient
from amberflo_workflows.operate.ledger.started_operation import wait_for_result


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


def start_closing(client: ApiClient, request: Mapping[str, Any]) -> str:
    """Start to close a period and return the id; the request is that of ``POST /periods``. Raises ``OperatorError``."""
    return str(client.call("POST", "periods", body=request)["data"]["id"])


def wait_for_period(client: ApiClient, closing: str) -> ClosedPeriod:
    """Return the result when there is one. Raises ``OperatorError``, also if the workflow fails."""
    return msgspec.convert(wait_for_result(client, "periods", closing), ClosedPeriod)
