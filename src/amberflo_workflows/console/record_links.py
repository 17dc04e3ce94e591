"""Links from a number on the usage page to the records behind it."""

from typing import Final
from urllib.parse import urlencode

from amberflo_workflows.console.usage_query import INTERVALS, UsageQuery
from amberflo_workflows.console.usage_series import UsageSeries, UsageTable

_CUSTOMER: Final = "customerId"
# The records of longer intervals would be too many to look through.
_INTERVALS: Final = ("hour", "day")


class RecordLinks:
    """The links of a table: one for each number that is a single tenant's, of an hour or a day."""

    def __init__(self, query: UsageQuery, meter: str, interval: str, table: UsageTable) -> None:
        self._meter = meter
        self._seconds = INTERVALS[interval]
        self._starts = table.starts
        # With filters or other groups, a number is a part of what the tenant has used.
        self.is_possible = (
            interval in _INTERVALS
            and not query.filters
            and (query.groups == (_CUSTOMER,) or (not query.groups and len(query.tenants) == 1))
        )
        self._tenant = "" if query.groups else "".join(query.tenants[:1])

    def build(self, series: UsageSeries, index: int) -> str:
        """Return the URL of the records of a series in an interval, or an empty text if there is none."""
        tenant = self._tenant or series.labels.get(_CUSTOMER, "")
        if not self.is_possible or not tenant:
            return ""
        return build_records_url(self._meter, tenant, self._starts[index], self._starts[index] + self._seconds)


def build_records_url(meter: str, tenant: str, start: int, end: int) -> str:
    """Return the URL of the page of a tenant's records between epoch seconds."""
    return f"/usage/records?{urlencode({'meter': meter, 'tenant': tenant, 'from': start, 'to': end})}"
