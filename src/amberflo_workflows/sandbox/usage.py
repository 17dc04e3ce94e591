"""Usage reports as in Amberflo's reference: full UTC intervals, zeros for empty ones, groups ordered by their total."""

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from amberflo_workflows.sandbox.errors import RequestRejected
from amberflo_workflows.sandbox.settings import SandboxSettings
from amberflo_workflows.sandbox.store import Store

# The records that count: without duplicates, and without records that were cancelled or that a rule filters out. Of
# records that differ only in their value, the latest counts.
_COUNTED_SQL: Final = """
WITH arrived AS (
  SELECT meter, customer, at_ms, value, unique_id, dimensions, cancels, min(seq) AS seq, min(ingested) AS ingested
  FROM records WHERE meter = $meter AND ingested <= $visible GROUP BY ALL),
active AS (
  SELECT * FROM arrived a WHERE NOT cancels AND NOT EXISTS (
    SELECT 1 FROM arrived c WHERE c.cancels AND c.customer = a.customer AND c.at_ms = a.at_ms AND c.value = a.value
      AND c.unique_id = a.unique_id AND c.dimensions = a.dimensions)
  {latest}),
counted AS (
  SELECT * FROM active a WHERE NOT EXISTS (
    SELECT 1 FROM rules r WHERE r.meter = $meter AND r.made <= $effective
      AND a.ingested >= r.since AND a.ingested < r.until))
"""
_LATEST_SQL: Final = (
    "QUALIFY row_number() OVER (PARTITION BY customer, at_ms, unique_id, dimensions ORDER BY seq DESC) = 1"
)
_INTERVAL_NAMES: Final = ("HOUR", "DAY", "WEEK", "MONTH")
_AGGREGATES: Final = {"SUM": "sum(value)", "COUNT": "count(*)", "MIN": "min(value)", "MAX": "max(value)"}
# The default aggregation by meter type; SUM for others. For durations and running totals that is an approximation.
_DEFAULT_AGGREGATES: Final = {"max_usage": "MAX", "active_users": "UNIQUE", "unique_count": "UNIQUE"}


class _Take(msgspec.Struct):
    limit: Annotated[int, Meta(ge=1)] | None = None
    isAscending: bool = False  # noqa: N815 - as it is on the wire


class _RequestParts(msgspec.Struct):
    """The parts of a request whose types are checked first."""

    groupBy: list[str] | None = None  # noqa: N815
    filter: dict[str, list[str]] | None = None
    take: _Take | None = None


@dataclass(frozen=True)
class ReportQuery:
    """A valid usage request. Times are epoch seconds."""

    meter: dict[str, Any]
    start: int
    end: int
    interval: str
    aggregate: str
    group_by: list[str]
    filters: dict[str, list[str]]
    limit: int | None
    ascending: bool


def build_report(store: Store, settings: SandboxSettings, body: Any, *, sparse: bool) -> dict[str, Any]:
    """Build the report for a request body.

    Raises :class:`RequestRejected`, or msgspec's error for a part of the wrong type.
    """
    if not isinstance(body, dict):
        raise RequestRejected("Invalid request: the body must be an object")
    meters = store.documents("meter").values()
    meter = next((meter for meter in meters if meter["meterApiName"] == body.get("meterApiName")), None)
    if meter is None:
        raise RequestRejected(f"Invalid request: meter '{body.get('meterApiName')}' does not exist")
    return _build_report(store, settings, _parse_query(meter, body), body, sparse=sparse)


def build_all_reports(
    store: Store, settings: SandboxSettings, meters: Sequence[dict[str, Any]], body: dict[str, Any]
) -> list[dict[str, Any]]:
    """Build a report for each meter. Raises as :func:`build_report`."""
    used = {name for (name,) in store.query("SELECT DISTINCT meter FROM records", [])}
    reports = []
    for meter in meters:
        name = meter["meterApiName"]
        named = {**body, "meterApiName": name}
        query = _parse_query(meter, named)
        reports.append(_build_report(store, settings, query, named, sparse=False, has_records=name in used))
    return reports


def _build_report(
    store: Store,
    settings: SandboxSettings,
    query: ReportQuery,
    body: dict[str, Any],
    *,
    sparse: bool,
    has_records: bool = True,
) -> dict[str, Any]:
    intervals = list(_interval_starts(query))
    by_bucket, totals = _read_groups(store, settings, query, intervals) if has_records else ({}, {})
    _check_sums(chain(totals.values(), *(by_start.values() for by_start in by_bucket.values())))
    # Groups with the same total are in the order of their names, so that `take` always returns the same ones.
    sign = 1 if query.ascending else -1
    groups = sorted(totals, key=lambda group: (sign * totals[group], group))[: query.limit]
    if not groups and not query.group_by:
        groups, totals = [()], {(): 0.0}
    report: dict[str, Any] = {
        "metadata": {**body, "timeRange": {"startTimeInSeconds": query.start, "endTimeInSeconds": query.end}},
        "clientMeters": [
            {
                "group": {"groupInfo": dict(zip(query.group_by, group, strict=True))},
                "groupValue": totals[group],
                "values": list(_build_values(by_bucket.get(group, {}), intervals, sparse=sparse)),
            }
            for group in groups
        ],
    }
    return report if sparse else {**report, "secondsSinceEpochIntervals": intervals}


def _check_sums(sums: Iterable[float]) -> None:
    """Raise :class:`RequestRejected` for a sum that JSON has no number for (not documented; assumed)."""
    if not all(math.isfinite(total) for total in sums):
        raise RequestRejected("Invalid request: the values are too large to be added up")


def compute_totals(store: Store, settings: SandboxSettings, meter: str) -> dict[str, float]:
    """Sum all usage of a meter by customer id, for tests; the meter need not exist."""
    rows = store.query(
        _counted_sql(settings) + "SELECT customer, sum(value) FROM counted GROUP BY customer ORDER BY customer",
        _parameters(settings, meter),
    )
    return dict(rows)


def _counted_sql(settings: SandboxSettings) -> str:
    return _COUNTED_SQL.format(latest=_LATEST_SQL if settings.same_key_new_value == "keep_latest" else "")


def _parameters(settings: SandboxSettings, meter: str) -> dict[str, Any]:
    now = time.time()
    return {
        "meter": meter,
        "visible": now - settings.visibility_delay_seconds,
        "effective": now - settings.rule_delay_seconds,
    }


def _parse_query(meter: dict[str, Any], body: dict[str, Any]) -> ReportQuery:
    known = {"customerId", *(meter.get("dimensions") or [])}
    parts = msgspec.convert(body, _RequestParts, strict=False)
    group_by, filters, take = parts.groupBy or [], parts.filter or {}, parts.take or _Take()
    unknown = [key for key in [*group_by, *filters] if key not in known]
    if unknown:
        raise RequestRejected(f"Invalid request: unknown dimension '{unknown[0]}'")
    interval = str(body.get("timeGroupingInterval") or "HOUR").upper()
    aggregation = str(body.get("aggregation") or _DEFAULT_AGGREGATES.get(meter["meterType"], "SUM")).upper()
    if interval not in _INTERVAL_NAMES:
        raise RequestRejected("Invalid request: 'timeGroupingInterval' is not valid")
    if aggregation not in {*_AGGREGATES, "UNIQUE"}:
        raise RequestRejected("Invalid request: 'aggregation' is not valid")
    start, end = _parse_time_range(body.get("timeRange"))
    return ReportQuery(meter, start, end, interval, aggregation, group_by, filters, take.limit, take.isAscending)


def _parse_time_range(time_range: Any) -> tuple[int, int]:
    """Return start and end; an end in the future becomes now. The npm package sends numeric strings and a null end."""
    now = int(time.time())
    try:
        start = int(time_range["startTimeInSeconds"])
        end = min(int(time_range.get("endTimeInSeconds") or now), now)
    except (TypeError, KeyError, ValueError):
        raise RequestRejected("Invalid request: 'timeRange' is not valid") from None
    if start >= end:
        raise RequestRejected("Invalid request: 'timeRange' is empty")
    return start, end


def _interval_starts(query: ReportQuery) -> Iterator[int]:
    """Yield the starts of the intervals that overlap the range, in epoch seconds."""
    start = interval_start(query.start, query.interval)
    while start < query.end:
        yield start
        start = _next_interval(start, query.interval)


def interval_start(seconds: int, interval: str) -> int:
    """Return the start of the interval that contains a time, in epoch seconds; weeks start on Monday."""
    start = datetime.fromtimestamp(seconds, UTC).replace(minute=0, second=0, microsecond=0)
    if interval != "HOUR":
        start = start.replace(hour=0)
    if interval == "WEEK":
        start -= timedelta(days=start.weekday())
    if interval == "MONTH":
        start = start.replace(day=1)
    return int(start.timestamp())


def _next_interval(seconds: int, interval: str) -> int:
    lengths = {"HOUR": 3600, "DAY": 86_400, "WEEK": 7 * 86_400}
    if interval in lengths:
        return seconds + lengths[interval]
    return interval_start(seconds + 32 * 86_400, "MONTH")


Group = tuple[str, ...]


def _read_groups(
    store: Store, settings: SandboxSettings, query: ReportQuery, intervals: list[int]
) -> tuple[dict[Group, dict[int, float]], dict[Group, float]]:
    """Return each group's values by the start of their interval, and each group's total."""
    parameters = _parameters(settings, query.meter["meterApiName"])
    parameters["since"] = intervals[0] * 1000
    parameters["until"] = _next_interval(intervals[-1], query.interval) * 1000
    where = ["at_ms >= $since", "at_ms < $until"]
    for number, (key, values) in enumerate(query.filters.items()):
        parameters[f"f{number}"] = values
        where.append(f"list_contains($f{number}, {_column_sql(key, parameters)})")
    columns = [_column_sql(key, parameters) for key in query.group_by]
    aggregate = _aggregate_sql(query, parameters)
    source = f"{_counted_sql(settings)} SELECT {{columns}} FROM counted WHERE {' AND '.join(where)} GROUP BY ALL"
    bucket = f"CAST(epoch(date_trunc('{query.interval.lower()}', make_timestamp(at_ms * 1000))) AS BIGINT)"
    by_bucket: dict[Group, dict[int, float]] = {}
    for *group, start, value in store.query(
        source.format(columns=", ".join([*columns, bucket, aggregate])), parameters
    ):
        by_bucket.setdefault(_to_group(group), {})[start] = float(value)
    rows = store.query(source.format(columns=", ".join([*columns, aggregate])), parameters)
    # Without grouping there is always a row, with a null value if no record matches.
    return by_bucket, {_to_group(group): float(value or 0) for *group, value in rows}


def _to_group(group: list[str | None]) -> Group:
    return tuple(value or "" for value in group)


def _column_sql(key: str, parameters: dict[str, Any]) -> str:
    if key == "customerId":
        return "customer"
    name = f"k{len(parameters)}"
    # A JSON pointer, in which quotes and dots have no meaning.
    parameters[name] = "/" + key.replace("~", "~0").replace("/", "~1")
    return f"json_extract_string(dimensions, ${name})"


def _aggregate_sql(query: ReportQuery, parameters: dict[str, Any]) -> str:
    if query.aggregate != "UNIQUE":
        return _AGGREGATES[query.aggregate]
    keys = query.meter.get("aggregationDimensions") or ["customerId"]
    return f"count(DISTINCT ({', '.join(_column_sql(key, parameters) for key in keys)}))"


def _build_values(by_start: dict[int, float], intervals: list[int], *, sparse: bool) -> Iterator[dict[str, Any]]:
    previous: float | None = None
    for start in intervals:
        value = by_start.get(start, 0.0)
        if not sparse or start in by_start:
            yield {
                "secondsSinceEpochUtc": start,
                "value": value,
                "percentageFromPrevious": _percentage(previous, value),
            }
        previous = value


def _percentage(previous: float | None, value: float) -> float:
    """Return the change from the previous interval; from 0 to any value is 100 (inferred from a documented report)."""
    if previous is None or previous == value:
        return 0.0
    return 100.0 if previous == 0 else (value - previous) / previous * 100
