import time

import pytest

from amberflo_workflows.sandbox.usage import interval_start
from tests.sandbox.conftest import Amberflo, record

DAY = 86_400
MIDNIGHT = int(time.time()) // DAY * DAY - 3 * DAY


@pytest.mark.parametrize("interval", ["hour", "Day", "WEEK", "MONTH"])
def test_the_intervals_sum_up_to_the_total(amberflo: Amberflo, interval: str) -> None:
    amberflo.create_meter()
    now = int(time.time()) - 60
    for number in range(40):
        amberflo.ingest(record(meterTimeInMillis=(now - number * DAY) * 1000))
    (group,) = amberflo.usage(timeGroupingInterval=interval, timeRange={"startTimeInSeconds": now - 39 * DAY})[
        "clientMeters"
    ]
    assert sum(value["value"] for value in group["values"]) == group["groupValue"] == 40
    assert group["values"][0]["secondsSinceEpochUtc"] == interval_start(now - 39 * DAY, interval.upper())


def test_an_interval_includes_its_start_and_excludes_its_end(amberflo: Amberflo) -> None:
    amberflo.create_meter()
    for millis in (MIDNIGHT * 1000, MIDNIGHT * 1000 + DAY * 1000 - 1, (MIDNIGHT + DAY) * 1000):
        amberflo.ingest(record(meterTimeInMillis=millis))
    time_range = {"startTimeInSeconds": MIDNIGHT, "endTimeInSeconds": MIDNIGHT + DAY}
    (group,) = amberflo.usage(timeRange=time_range, timeGroupingInterval="DAY")["clientMeters"]
    assert ([value["value"] for value in group["values"]], group["groupValue"]) == ([2], 2)


def test_an_end_in_the_future_becomes_now(amberflo: Amberflo) -> None:
    amberflo.create_meter()
    now = int(time.time())
    report = amberflo.usage(
        timeRange={"startTimeInSeconds": now - 60, "endTimeInSeconds": now + 9 * DAY}, timeGroupingInterval="DAY"
    )
    assert now <= report["metadata"]["timeRange"]["endTimeInSeconds"] <= time.time()
    assert report["secondsSinceEpochIntervals"][-1] <= time.time()
