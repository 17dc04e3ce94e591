"""The request of a replay: which of the ledger's usage to send again.

``{"startTimeInSeconds", "endTimeInSeconds", "meterApiName"?, "tenantId"?, "dryRun"?}`` for the usage of a range, or
``{"reconciliation", "dryRun"?}`` for that of the hours that a reconciliation's report calls missing.
"""

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from amberflo_workflows.core.canonical import normalize_text
from amberflo_workflows.core.ledger.layout import HOUR_SECONDS, start_of_hour
from amberflo_workflows.core.ledger.requests import Seconds, TenantId
from amberflo_workflows.core.usage_record import MAX_METER_NAME_LENGTH

# Older usage is not accepted any more. A day more than 60, so that a range need not be computed to the second.
MAX_DAYS: Final = 61
_MAX_SECONDS: Final = MAX_DAYS * 24 * HOUR_SECONDS

_MeterName = Annotated[str, Meta(min_length=1, max_length=MAX_METER_NAME_LENGTH)]
# It is a part of the keys that are read.
_ReconciliationId = Annotated[str, Meta(max_length=80, pattern=r"^[A-Za-z0-9_-]+$(?!\n)")]


class ReplayRange(Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """The usage of a range, in epoch seconds: all of it, or only that of a meter or a tenant."""

    start_time_in_seconds: Seconds
    end_time_in_seconds: Seconds
    meter_api_name: _MeterName | None = None
    tenant_id: TenantId | None = None
    dry_run: bool = False

    def __post_init__(self) -> None:
        """Bring the names into the form that records have."""
        self.meter_api_name = self.meter_api_name and normalize_text(self.meter_api_name)
        self.tenant_id = self.tenant_id and normalize_text(self.tenant_id)


class ReplayReconciliation(Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """The usage of the hours that are missing in the report of a reconciliation."""

    reconciliation: _ReconciliationId
    dry_run: bool = False


ReplayRequest = ReplayRange | ReplayReconciliation


def parse_replay_request(request: Any, now: int) -> ReplayRequest:
    """Parse a request at a time in epoch seconds. Raises ``msgspec.ValidationError``."""
    if isinstance(request, dict) and "reconciliation" in request:
        return msgspec.convert(request, ReplayReconciliation)
    replay = msgspec.convert(request, ReplayRange)
    start, end = replay.start_time_in_seconds, replay.end_time_in_seconds
    if start >= end:
        raise msgspec.ValidationError("The range is empty - at `$.startTimeInSeconds`")
    if end > start_of_hour(now) + HOUR_SECONDS:
        raise msgspec.ValidationError(f"It is after the current hour (now is {now}) - at `$.endTimeInSeconds`")
    if end - start > _MAX_SECONDS:
        raise msgspec.ValidationError(
            f"The range is longer than {MAX_DAYS} days; Amberflo accepts usage of the last 60 days - at "
            "`$.startTimeInSeconds`"
        )
    return replay
