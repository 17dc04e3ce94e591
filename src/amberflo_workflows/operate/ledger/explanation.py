"""Explain a number: the records that make up a tenant's usage of a meter, from the HTTP API."""

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import msgspec

from amberflo_workflows.core.ledger.record_page import CountedRecord
from amberflo_workflows.core.ledger.totals import ExactSum
from amberflo_workflows.operate.api_client import ApiClient, ApiError, Query
from amberflo_workflows.operate.errors import OperatorError


@dataclass
class Explanation:
    """The records of a tenant and a meter in a range of time, in the order of their times."""

    records: list[CountedRecord]

    @property
    def total(self) -> float:
        """The sum of the values that are not cancelled."""
        total = ExactSum()
        for record in self.records:
            if not record.cancelled_by:
                total.add(record.record.meter_value)
        return total.value


class ApiRecords(msgspec.Struct):
    """A page of the API's list of records; ``next_token`` gets the next one."""

    data: list[CountedRecord]
    total: float
    next_token: str | None


def find_meter(get_meter: Callable[[str], dict[str, Any]], name_or_id: str) -> dict[str, Any]:
    """Return what ``get_meter`` returns, or a meter without a type if Amberflo has none.

    The ledger has the usage of a deleted meter, under its name. Raises what ``get_meter`` raises for other reasons.
    """
    try:
        return get_meter(name_or_id)
    except ApiError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        return {"id": name_or_id, "meterApiName": name_or_id}


def fetch_records(
    client: ApiClient,
    meter: dict[str, Any],
    tenant: str,
    time_range: tuple[int, int],
    *,
    next_token: str | None = None,
    limit: int | None = None,
) -> ApiRecords:
    """Fetch a page of a tenant's records between epoch seconds. Raises :class:`OperatorError`."""
    start, end = time_range
    options: Query = {name: value for name, value in (("next_token", next_token), ("limit", limit)) if value}
    query: Query = {
        "meterApiName": meter["meterApiName"],
        "tenantId": tenant,
        "startTimeInSeconds": start,
        "endTimeInSeconds": end,
        **options,
    }
    response = client.call("GET", "usage", meter["id"], "records", query=query)
    try:
        return msgspec.convert(response, ApiRecords)
    except msgspec.ValidationError as error:
        raise OperatorError(f"The API's response is not a page of records: {error}") from None


def explain_usage(
    client: ApiClient,
    meter: dict[str, Any],
    tenant: str,
    time_range: tuple[int, int],
    on_progress: Callable[[int], object] = lambda _count: None,
) -> Explanation:
    """Fetch all records of a tenant between epoch seconds. ``on_progress`` gets their number after each page.

    Raises :class:`OperatorError`.
    """
    page = fetch_records(client, meter, tenant, time_range)
    records = page.data
    while page.next_token:
        on_progress(len(records))
        page = fetch_records(client, meter, tenant, time_range, next_token=page.next_token)
        records += page.data
    return Explanation(records)
