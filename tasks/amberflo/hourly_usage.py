"""What Amberflo reports of a meter for each tenant and hour."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec
from msgspec import Struct

from amberflo_workflows.core.ledger.layout import HOUR_SECONDS, start_of_hour
from amberflo_workflows.core.ledger.totals import Hour
from amberflo_workflows.tasks.amberflo.client import AmberfloClient
from amberflo_workflows.tasks.amberflo.errors import AmberfloClientError, AmberfloUnavailable

# Amberflo's report has at most 100,000 rows, and what it does beyond that is not documented. A row is a group's hour:
# https://enterprise-reference.amberflo.io (usage guardrails)
MAX_ROWS: Final = 50_000
_TOO_LARGE: Final = 413


class _Value(Struct, rename={"begin": "secondsSinceEpochUtc"}):
    begin: int
    value: float


class _GroupNames(Struct, rename="camel"):
    group_info: dict[str, str | None] = {}


class _Group(Struct):
    group: _GroupNames | None = None
    values: list[_Value] = []


class _Report(Struct, rename="camel"):
    client_meters: list[_Group]


def fetch_hours(
    amberflo: AmberfloClient, meter: str, start: int, end: int, tenant: str | None = None
) -> Iterator[tuple[Hour, float]]:
    """Yield the usage of each tenant and hour that has some; ``start`` and ``end`` are full hours in epoch seconds.

    A report that is too large is requested in parts. Raises what :meth:`AmberfloClient.call` raises.
    """
    groups = _fetch_groups(amberflo, meter, start, end, tenant)
    if groups is None:
        middle = start_of_hour((start + end) // 2)
        yield from fetch_hours(amberflo, meter, start, middle, tenant)
        yield from fetch_hours(amberflo, meter, middle, end, tenant)
        return
    for group in groups:
        labels = group.group.group_info if group.group else {}
        for value in group.values:
            # Amberflo may extend the range to the interval after it.
            if value.value and start <= value.begin < end:
                yield Hour(meter, labels.get("customerId") or "", value.begin), value.value


def _fetch_groups(
    amberflo: AmberfloClient, meter: str, start: int, end: int, tenant: str | None
) -> list[_Group] | None:
    """Fetch the groups of a range, or return ``None`` if they are too many and the range can be shorter."""
    query: dict[str, Any] = {
        "meterApiName": meter,
        "timeRange": {"startTimeInSeconds": start, "endTimeInSeconds": end},
        "timeGroupingInterval": "HOUR",
        "groupBy": ["customerId"],
    }
    if tenant is not None:
        query["filter"] = {"customerId": [tenant]}
    can_be_shorter = end - start > HOUR_SECONDS
    try:
        groups = _parse(amberflo.call("POST", "/usage", query))
    except AmberfloClientError as error:
        if error.status == _TOO_LARGE and can_be_shorter:
            return None
        raise
    rows = sum(len(group.values) for group in groups)
    return None if rows > MAX_ROWS and can_be_shorter else groups


def _parse(report: Any) -> list[_Group]:
    try:
        return msgspec.convert(report, _Report).client_meters
    except msgspec.ValidationError as error:
        raise AmberfloUnavailable(f"Amberflo's response to POST /usage is not a report: {error}.") from None
