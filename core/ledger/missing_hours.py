"""The hours that the report of a reconciliation calls missing: Amberflo reports less than the ledger has."""

from collections.abc import Iterator

from amberflo_workflows.core.ledger.report import Report
from amberflo_workflows.core.ledger.store import LedgerStore
from amberflo_workflows.core.ledger.totals import Hour


def read_missing_hours(store: LedgerStore, reconciliation: str) -> Iterator[Hour]:
    """Yield the missing hours in the report of a reconciliation.

    Raises :class:`~amberflo_workflows.core.ledger.report.NoReport`, botocore's errors and
    :class:`~amberflo_workflows.core.ledger.receipt.UnreadableObject`.
    """
    for hour in Report(store, reconciliation).read_differences():
        if hour.outcome == "missing":
            yield Hour(hour.meter_api_name, hour.tenant_id, hour.start_time_in_seconds)
