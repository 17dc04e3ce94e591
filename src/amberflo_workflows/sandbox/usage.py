"""Usage reports, after Amberflo's reference: ranges widened to whole UTC intervals, gaps filled, groups by value."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from amberflo_workflows.sandbox.errors import Refused
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
_INTERVALS: Final = ("HOUR", "DAY", "WEEK", "MONTH")
_AGGREGATES: Final = {"SUM": "sum(value)", "COUNT": "count(*)", "MIN": "min(value)", "MAX": "max(value)"}
# The meter's own aggregation. Durations and running totals are summed, which is an approximation.
_NATURAL: Final = {"max_usage": "MAX", "active_users": "UNIQUE", "unique_count": "UNIQUE"}


class _Take(msgspec.Struct):
    limit: Annotated[int, Meta(ge=1)] | None = None
    isAscending: bool = False  # noqa: N815 - as it is on the wire


class _Asked(msgspec.Struct):
    """The parts of a request whose form matters before their content does."""

    groupBy: list[str] | None = None  # noqa: N815
    filter: dict[str, list[str]] | None = None
    take: _Take | None = None


@dataclass(frozen=True)
class Question:
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


def report(store: Store, settings: SandboxSettings, body: Any, *, sparse: bool) -> dict[str, Any]:
    """The answer to one usage request. Raises :class:`Refused`, or msgspec's error for a part of the wrong type."""
    question = _understood(store, body)
    intervals = list(_intervals(question))
    by_bucket, totals = _read(store, settings, question, intervals)
    groups = sorted(totals, key=lambda group: totals[group], reverse=not question.ascending)[: question.limit]
    if not groups and not question.group_by:
        groups, totals = [()], {(): 0.0}
    answer: dict[str, Any] = {
        "metadata": {**body, "timeRange": {"startTimeInSeconds": question.start, "endTimeInSeconds": question.end}},
        "clientMeters": [
            {
                "group": {"groupInfo": dict(zip(question.group_by, group, strict=True))},
                "groupValue": totals[group],
                "values": list(_values(by_bucket.get(group, {}), intervals, sparse=sparse)),
            }
            for group in groups
        ],
    }
    return answer if sparse else {**answer, "secondsSinceEpochIntervals": intervals}


def totals(store: Store, settings: SandboxSettings, meter: str) -> dict[str, float]:
    """Plain sums by customer, for tests: no ranges, no groups, no meter needed."""
    rows = store.query(
        _counted(settings) + "SELECT customer, sum(value) FROM counted GROUP BY customer ORDER BY customer",
        _parameters(settings, meter),
    )
    return dict(rows)


def _counted(settings: SandboxSettings) -> str:
    return _COUNTED.format(latest=_LATEST if settings.same_key_new_value == "keep_latest" else "")


def _parameters(settings: SandboxSettings, meter: str) -> dict[str, Any]:
    now = time.time()
    return {
        "meter": meter,
        "visible": now - settings.visibility_delay_seconds,
        "effective": now - settings.rule_delay_seconds,
    }


def _understood(store: Store, body: Any) -> Question:
    if not isinstance(body, dict):
        raise Refused("Invalid request: the body must be an object")
    meters = store.documents("meter").values()
    meter = next((found for found in meters if found["meterApiName"] == body.get("meterApiName")), None)
    if meter is None:
        raise Refused(f"Invalid request: meter '{body.get('meterApiName')}' does not exist")
    known = {"customerId", *(meter.get("dimensions") or [])}
    asked = msgspec.convert(body, _Asked, strict=False)
    group_by, filters, take = asked.groupBy or [], asked.filter or {}, asked.take or _Take()
    unknown = [key for key in [*group_by, *filters] if key not in known]
    if unknown:
        raise Refused(f"Invalid request: unknown dimension '{unknown[0]}'")
    interval = str(body.get("timeGroupingInterval") or "HOUR").upper()
    aggregation = str(body.get("aggregation") or _NATURAL.get(meter["meterType"], "SUM")).upper()
    if interval not in _INTERVALS:
        raise Refused("Invalid request: 'timeGroupingInterval' is not valid")
    if aggregation not in {*_AGGREGATES, "UNIQUE"}:
        raise Refused("Invalid request: 'aggregation' is not valid")
    start, end = _time_range(body.get("timeRange"))
    return Question(meter, start, end, interval, aggregation, group_by, filters, take.limit, take.isAscending)


def _time_range(given: Any) -> tuple[int, int]:
    """Numeric strings and a null end are taken, as the npm package sends them; an end ahead is now."""
    now = int(time.time())
    try:
        start = int(given["startTimeInSeconds"])
        end = min(int(given.get("endTimeInSeconds") or now), now)
    except (TypeError, KeyError, ValueError):
        raise Refused("Invalid request: 'timeRange' is not valid") from None
    if start >= end:
        raise Refused("Invalid request: 'timeRange' is empty")
    return start, end


def _intervals(question: Question) -> Iterator[int]:
    """Where each interval begins, from the one of the start to the one of the end."""
    moment = floor(question.start, question.interval)
    while moment < question.end:
        yield moment
        moment = _next(moment, question.interval)


def floor(seconds: int, interval: str) -> int:
    """The beginning of the interval that a moment is in; weeks begin on Monday."""
    moment = datetime.fromtimestamp(seconds, UTC).replace(minute=0, second=0, microsecond=0)
    if interval != "HOUR":
        moment = moment.replace(hour=0)
    if interval == "WEEK":
        moment -= timedelta(days=moment.weekday())
    if interval == "MONTH":
        moment = moment.replace(day=1)
    return int(moment.timestamp())


def _next(seconds: int, interval: str) -> int:
    lengths = {"HOUR": 3600, "DAY": 86_400, "WEEK": 7 * 86_400}
    if interval in lengths:
        return seconds + lengths[interval]
    return floor(seconds + 32 * 86_400, "MONTH")


Group = tuple[str, ...]


def _read(
    store: Store, settings: SandboxSettings, question: Question, intervals: list[int]
) -> tuple[dict[Group, dict[int, float]], dict[Group, float]]:
    parameters = _parameters(settings, question.meter["meterApiName"])
    parameters["since"] = intervals[0] * 1000
    parameters["until"] = _next(intervals[-1], question.interval) * 1000
    where = ["at_ms >= $since", "at_ms < $until"]
    for number, (key, values) in enumerate(question.filters.items()):
        parameters[f"f{number}"] = values
        where.append(f"list_contains($f{number}, {_column(key, parameters)})")
    columns = [_column(key, parameters) for key in question.group_by]
    aggregate = _aggregate(question, parameters)
    source = f"{_counted(settings)} SELECT {{columns}} FROM counted WHERE {' AND '.join(where)} GROUP BY ALL"
    bucket = f"CAST(epoch(date_trunc('{question.interval.lower()}', make_timestamp(at_ms * 1000))) AS BIGINT)"
    by_bucket: dict[Group, dict[int, float]] = {}
    for *group, begin, value in store.query(
        source.format(columns=", ".join([*columns, bucket, aggregate])), parameters
    ):
        by_bucket.setdefault(_named(group), {})[begin] = float(value)
    rows = store.query(source.format(columns=", ".join([*columns, aggregate])), parameters)
    # Without a group there is always a row, with nothing in it if nothing matched.
    return by_bucket, {_named(group): float(value or 0) for *group, value in rows}


def _named(group: list[str | None]) -> Group:
    return tuple(value or "" for value in group)


def _column(key: str, parameters: dict[str, Any]) -> str:
    if key == "customerId":
        return "customer"
    name = f"k{len(parameters)}"
    parameters[name] = f'$."{key}"'
    return f"json_extract_string(dimensions, ${name})"


def _aggregate(question: Question, parameters: dict[str, Any]) -> str:
    if question.aggregate != "UNIQUE":
        return _AGGREGATES[question.aggregate]
    keys = question.meter.get("aggregationDimensions") or ["customerId"]
    return f"count(DISTINCT ({', '.join(_column(key, parameters) for key in keys)}))"


def _values(found: dict[int, float], intervals: list[int], *, sparse: bool) -> Iterator[dict[str, Any]]:
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
