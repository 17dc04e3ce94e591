"""The rows of the hours in which the ledger and Amberflo differ, with links to the records behind them."""

from collections.abc import Collection, Iterable
from typing import NamedTuple

from amberflo_workflows.console.record_links import build_records_url
from amberflo_workflows.core.ledger.comparison import ComparedHour
from amberflo_workflows.core.ledger.layout import HOUR_SECONDS


class DifferenceRow(NamedTuple):
    """An hour that differs. ``records_url`` is empty if its records cannot be listed, as those of a deleted meter."""

    hour: ComparedHour
    difference: float
    records_url: str
    is_deleted: bool


def build_rows(hours: Iterable[ComparedHour], meters: Collection[str] | None) -> list[DifferenceRow]:
    """Build the rows. ``meters`` are the names of the meters that exist, ``None`` if they are not known."""
    return [_build_row(hour, meters) for hour in hours]


def _build_row(hour: ComparedHour, meters: Collection[str] | None) -> DifferenceRow:
    start, is_deleted = hour.start_time_in_seconds, meters is not None and hour.meter_api_name not in meters
    # The API lists the records of a meter by its id, which a deleted meter has no more.
    url = "" if meters is None or is_deleted else _build_url(hour, start)
    return DifferenceRow(hour, hour.ledger - hour.amberflo, url, is_deleted)


def _build_url(hour: ComparedHour, start: int) -> str:
    return build_records_url(hour.meter_api_name, hour.tenant_id, start, start + HOUR_SECONDS)
