"""Usage reports, after Amberflo's reference: ranges widened to whole UTC intervals, gaps filled, groups by value."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from amberflo_workflows.sandbox.errors import RequestRejected
from amberflo_workflows.sandbox.settings import SandboxSettings
from amberflo_workflows.sandbox.store import Store

# The records that count: each once, the latest value where only that differs, less what was cancelled or filtered.
_COUNTED: Final = """
WITH arrived AS (
  SELECT meter, customer, at_ms, value, unique_id, dimensions, cancels, min(seq) AS seq, min(ingested) AS ingested
  FROM records WHERE meter = $meter AND ingested <= $visible GROUP BY ALL),
kept AS (
  SELECT * FROM arrived a WHERE NOT cancels AND NOT EXISTS (
    SELECT 1 FROM arrived c WHERE c.cancels AND c.customer = a.customer AND c.at_ms = a.at_ms AND c.value = a.value
      AND c.unique_id = a.unique_id AND c.dimensions = a.dimensions)
  {latest}),
counted AS (
  SELECT * FROM kept k WHERE NOT EXISTS (
    SELECT 1 FROM rules r WHERE r.meter = $meter AND r.made <= $effective
      AND k.ingested >= r.since AND k.ingested < r.until))
"""
_LATEST: Final = "QUALIFY row_number() OVER (PARTITION BY customer, at_ms, unique_id, dimensions ORDER BY seq DESC) = 1"
_INTERVAL_NAMES: Final = ("HOUR", "DAY", "WEEK", "MONTH")
_AGGREGATES: Final = {"SUM": "sum(value)", "COUNT": "count(*)", "MIN": "min(value)", "MAX": "max(value)"}
# The meter's own aggregation. Durations and running totals are summed, which is an approximation.
_NATURAL: Final = {"max_usage": "MAX", "active_users": "UNIQUE", "unique_count": "UNIQUE"}


class _Take(msgspec.Struct):
    limit: Annotated[int, Meta(ge=1)] | None = None
    isAscending: bool = False  # noqa: N815 - as it is on the wire


class _RequestParts(msgspec.Struct):
    """The parts of a request whose form matters before their content does."""

    groupBy: list[str] | None = None  # noqa: N815
    filter: dict[str, list[str]] | None = None
    take: _Take | None = None


@dataclass(frozen=True)
class ReportQuery:
    """A usage request that was understood. Times are epoch seconds."""

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
    """Answer one usage request. Raises :class:`RequestRejected`, or msgspec's error for a part of the wrong type."""
    question = _parse_query(store, body)
    intervals = list(_interval_starts(question))
    by_bucket, compute_totals = _read_groups(store, settings, question, intervals)
    groups = sorted(compute_totals, key=lambda group: compute_totals[group], reverse=not question.ascending)[
        : question.limit
    ]
    if not groups and not question.group_by:
        groups, compute_totals = [()], {(): 0.0}
    answer: dict[str, Any] = {
        "metadata": {**body, "timeRange": {"startTimeInSeconds": question.start, "endTimeInSeconds": question.end}},
        "clientMeters": [
            {
                "group": {"groupInfo": dict(zip(question.group_by, group, strict=True))},
                "groupValue": compute_totals[group],
                "values": list(_build_values(by_bucket.get(group, {}), intervals, sparse=sparse)),
            }
            for group in groups
        ],
    }
    return answer if sparse else {**answer, "secondsSinceEpochIntervals": intervals}


def compute_totals(store: Store, settings: SandboxSettings, meter: str) -> dict[str, float]:
    """Plain sums by customer, for tests: no ranges, no groups, no meter needed."""
    rows = store.query(
        _counted_sql(settings) + "SELECT customer, sum(value) FROM counted GROUP BY customer ORDER BY customer",
        _parameters(settings, meter),
    )
    return dict(rows)


def _counted_sql(settings: SandboxSettings) -> str:
    return _COUNTED.format(latest=_LATEST if settings.same_key_new_value == "keep_latest" else "")


def _parameters(settings: SandboxSettings, meter: str) -> dict[str, Any]:
    now = time.time()
    return {
        "meter": meter,
        "visible": now - settings.visibility_delay_seconds,
        "effective": now - settings.rule_delay_seconds,
    }


def _parse_query(store: Store, body: Any) -> ReportQuery:
    if not isinstance(body, dict):
        raise RequestRejected("Invalid request: the body must be an object")
    meters = store.documents("meter").values()
    meter = next((found for found in meters if found["meterApiName"] == body.get("meterApiName")), None)
    if meter is None:
        raise RequestRejected(f"Invalid request: meter '{body.get('meterApiName')}' does not exist")
    known = {"customerId", *(meter.get("dimensions") or [])}
    asked = msgspec.convert(body, _RequestParts, strict=False)
    group_by, filters, take = asked.groupBy or [], asked.filter or {}, asked.take or _Take()
    unknown = [key for key in [*group_by, *filters] if key not in known]
    if unknown:
        raise RequestRejected(f"Invalid request: unknown dimension '{unknown[0]}'")
    interval = str(body.get("timeGroupingInterval") or "HOUR").upper()
    aggregation = str(body.get("aggregation") or _NATURAL.get(meter["meterType"], "SUM")).upper()
    if interval not in _INTERVAL_NAMES:
        raise RequestRejected("Invalid request: 'timeGroupingInterval' is not valid")
    if aggregation not in {*_AGGREGATES, "UNIQUE"}:
        raise RequestRejected("Invalid request: 'aggregation' is not valid")
    start, end = _parse_time_range(body.get("timeRange"))
    return ReportQuery(meter, start, end, interval, aggregation, group_by, filters, take.limit, take.isAscending)


def _parse_time_range(given: Any) -> tuple[int, int]:
    """Numeric strings and a null end are taken, as the npm package sends them; an end ahead is now."""
    now = int(time.time())
    try:
        start = int(given["startTimeInSeconds"])
        end = min(int(given.get("endTimeInSeconds") or now), now)
    except (TypeError, KeyError, ValueError):
        raise RequestRejected("Invalid request: 'timeRange' is not valid") from None
    if start >= end:
        raise RequestRejected("Invalid request: 'timeRange' is empty")
    return start, end


def _interval_starts(question: ReportQuery) -> Iterator[int]:
    """Where each interval begins, from the one of the start to the one of the end."""
    moment = interval_start(question.start, question.interval)
    while moment < question.end:
        yield moment
        moment = _next_interval(moment, question.interval)


def interval_start(seconds: int, interval: str) -> int:
    """The beginning of the interval that a moment is in; weeks begin on Monday."""
    moment = datetime.fromtimestamp(seconds, UTC).replace(minute=0, second=0, microsecond=0)
    if interval != "HOUR":
        moment = moment.replace(hour=0)
    if interval == "WEEK":
        moment -= timedelta(days=moment.weekday())
    if interval == "MONTH":
        moment = moment.replace(day=1)
    return int(moment.timestamp())


def _next_interval(seconds: int, interval: str) -> int:
    lengths = {"HOUR": 3600, "DAY": 86_400, "WEEK": 7 * 86_400}
    if interval in lengths:
        return seconds + lengths[interval]
    return interval_start(seconds + 32 * 86_400, "MONTH")


Group = tuple[str, ...]


def _read_groups(
    store: Store, settings: SandboxSettings, question: ReportQuery, intervals: list[int]
) -> tuple[dict[Group, dict[int, float]], dict[Group, float]]:
    parameters = _parameters(settings, question.meter["meterApiName"])
    parameters["since"] = intervals[0] * 1000
    parameters["until"] = _next_interval(intervals[-1], question.interval) * 1000
    where = ["at_ms >= $since", "at_ms < $until"]
    for number, (key, values) in enumerate(question.filters.items()):
        parameters[f"f{number}"] = values
        where.append(f"list_contains($f{number}, {_column_sql(key, parameters)})")
    columns = [_column_sql(key, parameters) for key in question.group_by]
    aggregate = _aggregate_sql(question, parameters)
    source = f"{_counted_sql(settings)} SELECT {{columns}} FROM counted WHERE {' AND '.join(where)} GROUP BY ALL"
    bucket = f"CAST(epoch(date_trunc('{question.interval.lower()}', make_timestamp(at_ms * 1000))) AS BIGINT)"
    by_bucket: dict[Group, dict[int, float]] = {}
    for *group, begin, value in store.query(
        source.format(columns=", ".join([*columns, bucket, aggregate])), parameters
    ):
        by_bucket.setdefault(_to_group(group), {})[begin] = float(value)
    rows = store.query(source.format(columns=", ".join([*columns, aggregate])), parameters)
    # Without a group there is always a row, with nothing in it if nothing matched.
    return by_bucket, {_to_group(group): float(value or 0) for *group, value in rows}


def _to_group(group: list[str | None]) -> Group:
    return tuple(value or "" for value in group)


def _column_sql(key: str, parameters: dict[str, Any]) -> str:
    if key == "customerId":
        return "customer"
    name = f"k{len(parameters)}"
    parameters[name] = f'$."{key}"'
    return f"json_extract_string(dimensions, ${name})"


def _aggregate_sql(question: ReportQuery, parameters: dict[str, Any]) -> str:
    if question.aggregate != "UNIQUE":
        return _AGGREGATES[question.aggregate]
    keys = question.meter.get("aggregationDimensions") or ["customerId"]
    return f"count(DISTINCT ({', '.join(_column_sql(key, parameters) for key in keys)}))"


def _build_values(found: dict[int, float], intervals: list[int], *, sparse: bool) -> Iterator[dict[str, Any]]:
    previous: float | None = None
    for begin in intervals:
        value = found.get(begin, 0.0)
        if not sparse or begin in found:
            yield {
                "secondsSinceEpochUtc": begin,
                "value": value,
                "percentageFromPrevious": _percentage(previous, value),
            }
        previous = value


def _percentage(previous: float | None, value: float) -> float:
    """Change from the interval before; from nothing to something is 100 (inferred from a documented report)."""
    if previous is None or previous == value:
        return 0.0
    return 100.0 if previous == 0 else (value - previous) / previous * 100
