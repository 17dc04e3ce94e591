"""Reconcile a system in which Amberflo has lost some records and has others from elsewhere, and replay what it lost."""

import gzip
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from amberflo_workflows.core.ledger.comparison import ComparedHour
from amberflo_workflows.core.ledger.layout import HOUR_SECONDS, start_of_hour
from amberflo_workflows.core.ledger.totals import Hour
from amberflo_workflows.local.system import System
from tests.conftest import sandbox_of
from tests.entrypoints.calls import Api
from tests.polling import wait_until

# Usage of the last hours is not there, so that what is missing in an hour is known at once.
_SETTLED_HOURS: Final = 3
_HOURS: Final = 8
_LOST: Final = 10
_TIMEOUT_SECONDS: Final = 600
_STRANGER: Final = "tenant-of-another-client"

Usage = dict[str, Any]
# An hour's sums in the ledger and at Amberflo, and the outcome.
Outcomes = dict[Hour, tuple[float, float, str]]


def spread_over_hours(usages: Iterable[Usage]) -> list[Usage]:
    """Move usages back by some hours, each by another number, so that every hour of them has ended."""
    return [
        {**usage, "meterTimeInMillis": usage["meterTimeInMillis"] - (_SETTLED_HOURS + number % _HOURS) * 3_600_000}
        for number, usage in enumerate(usages)
    ]


def sum_by_hour(usages: Iterable[Usage]) -> Counter[Hour]:
    """The sum of each meter, tenant and hour."""
    sums: Counter[Hour] = Counter()
    for usage in usages:
        sums[_hour_of(usage)] += usage["meterValue"]
    return sums


def reconcile(system: System, hours: Iterable[Hour]) -> tuple[str, Outcomes]:
    """Reconcile all hours from the one before the first of these until the last. Return the id and the outcomes."""
    starts = [hour.start for hour in hours]
    time_range = {"startTimeInSeconds": min(starts) - HOUR_SECONDS, "endTimeInSeconds": max(starts) + HOUR_SECONDS}
    result = _run(system, "reconciliations", {**time_range, "lagSeconds": 0})
    outcomes = _read_report(system, result["report"])
    assert Counter(outcome for *_, outcome in outcomes.values()) == +Counter(result["outcomes"])
    return result["id"], outcomes


def check_that_all_agree(system: System, usages: Sequence[Usage]) -> None:
    """The ledger and Amberflo have the sums of these usages in each hour, and nothing else."""
    expected = sum_by_hour(usages)
    _, outcomes = reconcile(system, expected)
    _check_equal(outcomes, {hour: (value, value, "agreed") for hour, value in expected.items()})


def check_that_lost_usage_comes_back(system: System, usages: Sequence[Usage]) -> None:
    """Take ten records from Amberflo, add five that it has from elsewhere, reconcile, replay, and reconcile again."""
    sandbox = sandbox_of(system)
    expected = sum_by_hour(usages)
    lost = random.Random(11).sample(usages, _LOST)  # noqa: S311 - must be repeatable
    strange = _build_strange_usages(usages, sum_by_hour(lost))
    complete = _list_records(system)
    assert sandbox.delete_records(unique_ids=[usage["uniqueId"] for usage in lost]) >= _LOST
    sandbox.add_records(*map(_to_record, strange))
    drifted = _list_records(system)
    assert len(complete - drifted) == _LOST
    assert len(drifted - complete) == len(strange)

    missing = {hour: (expected[hour], expected[hour] - value, "missing") for hour, value in sum_by_hour(lost).items()}
    unknown = {
        hour: (expected[hour], expected[hour] + value, "unknown") for hour, value in sum_by_hour(strange).items()
    }
    reconciliation, outcomes = reconcile(system, expected)
    _check_equal(_select_drift(outcomes), missing | unknown)

    replay = _run(system, "replays", {"reconciliation": reconciliation})
    assert replay["sent"] == sum(_hour_of(usage) in missing for usage in usages), replay
    difference = _list_records(system) ^ (complete | drifted)
    assert not difference, f"records that are missing or that should not be there: {difference}"
    _, outcomes = reconcile(system, expected)
    _check_equal(_select_drift(outcomes), unknown)
    assert outcomes.keys() == {*expected, *unknown}


def _build_strange_usages(usages: Sequence[Usage], lost: Counter[Hour]) -> list[Usage]:
    """Usage of five hours without lost usage: of a tenant or an hour that is not in the ledger, and of one that is."""
    hours = sorted(sum_by_hour(usages))
    known = next(hour for hour in hours if hour not in lost)
    first, last = min(hour.start for hour in hours), max(hour.start for hour in hours)
    strange = [
        Hour(known.meter, _STRANGER, first),
        Hour(hours[-1].meter, _STRANGER, last),
        Hour(known.meter, known.tenant, first - HOUR_SECONDS),
        Hour(hours[-1].meter, hours[-1].tenant, first - HOUR_SECONDS),
        known,
    ]
    return [
        {
            "tenantId": hour.tenant,
            "meterApiName": hour.meter,
            "meterValue": 2**number,
            "meterTimeInMillis": hour.start * 1000 + number,
            "uniqueId": f"strange-{number}",
        }
        for number, hour in enumerate(strange)
    ]


def _hour_of(usage: Usage) -> Hour:
    return Hour(usage["meterApiName"], usage["tenantId"], start_of_hour(usage["meterTimeInMillis"] // 1000))


def _to_record(usage: Usage) -> dict[str, Any]:
    """The record of a usage without other members, as Amberflo receives it."""
    names = ("meterApiName", "meterValue", "meterTimeInMillis", "uniqueId")
    return {"customerId": usage["tenantId"], "dimensions": {}, **{name: usage[name] for name in names}}


def _list_records(system: System) -> set[bytes]:
    records = sandbox_of(system).records()
    distinct = {msgspec.json.encode(record, order="sorted") for record in records}
    assert len(distinct) == len(records)
    return distinct


def _check_equal(outcomes: Outcomes, expected: Mapping[Hour, tuple[float, float, str]]) -> None:
    """Fail with the hours that are not as expected."""
    difference = {
        hour: (outcomes.get(hour), expected.get(hour))
        for hour in outcomes.keys() | expected.keys()
        if outcomes.get(hour) != expected.get(hour)
    }
    assert not difference, f"hours with their outcome and what it should be: {difference}"


def _select_drift(outcomes: Outcomes) -> Outcomes:
    return {hour: row for hour, row in outcomes.items() if row[-1] != "agreed"}


def _run(system: System, path: str, request: dict[str, Any]) -> Any:
    """Start an operation of the API, and return its result."""
    api = Api(system)
    started = api.call("POST", path, request)
    assert started.status == 202, started
    data: dict[str, Any] = started.body["data"]

    def has_ended() -> bool:
        data.update(api.call("GET", f"{path}/{data['id']}").body["data"])
        return bool(data["status"] != "running")

    assert wait_until(has_ended, _TIMEOUT_SECONDS)
    assert data["status"] == "succeeded", data
    return data["result"]


def _read_report(system: System, location: dict[str, str]) -> Outcomes:
    """Every hour that was compared, also those that agree."""
    s3, bucket = system.client("s3"), location["bucket"]
    outcomes: Outcomes = {}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{location['prefix']}hours-"):
        for item in page.get("Contents", []):
            lines = gzip.decompress(s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read())
            for row in msgspec.json.Decoder(ComparedHour).decode_lines(lines):
                hour = Hour(row.meter_api_name, row.tenant_id, row.start_time_in_seconds)
                outcomes[hour] = (row.ledger, row.amberflo, row.outcome)
    return outcomes
