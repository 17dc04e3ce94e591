import json
import subprocess
import sys
import time
import uuid
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from amberflo_workflows.emit import UsageEmitter
from tests.emit.bus import Bus


def test_a_usage_arrives_as_it_was_recorded(bus: Bus, emitter: UsageEmitter) -> None:
    dimensions: dict[str, Any] = {
        "region": "eu",
        "tier": 2,
        "share": 0.5,
        "trial": True,
        "note": None,
        "straße": "日本",
    }
    time_with_zone = datetime(2025, 3, 1, 13, 0, 0, 123_999, tzinfo=timezone(timedelta(hours=1)))
    returned = emitter.record("acme", "api-calls", 3, time=time_with_zone, dimensions=dimensions, unique_id="mine")
    # Later changes by the caller do not change the usage.
    dimensions["region"] = "us"
    emitter.close()
    assert returned == "mine"
    assert bus.arrived == [
        {
            "tenantId": "acme",
            "meterApiName": "api-calls",
            "meterValue": 3,
            "meterTimeInMillis": 1_740_830_400_123,
            "uniqueId": "mine",
            "dimensions": {**dimensions, "region": "eu"},
        }
    ]
    ((entry,),) = bus.calls
    assert (entry["EventBusName"], entry["Source"], entry["DetailType"]) == ("the-bus", "my.app", "ingestUsage")
    assert '"straße":"日本"' in entry["Detail"]
    assert json.dumps(bus.arrived[0]["dimensions"]["trial"]) == "true"


def test_the_default_id_is_new_and_the_default_time_is_now(bus: Bus, emitter: UsageEmitter) -> None:
    before = time.time_ns() // 1_000_000
    ids = [emitter.record("acme", "api-calls", 1) for _ in range(2)]
    after = time.time_ns() // 1_000_000
    emitter.close()
    assert [usage["uniqueId"] for usage in bus.arrived] == ids
    assert len({uuid.UUID(unique_id) for unique_id in ids}) == 2
    assert all(before <= usage["meterTimeInMillis"] <= after for usage in bus.arrived)


@pytest.mark.parametrize(
    ("invalid", "message"),
    [
        ({"tenant_id": " "}, "tenant_id must be a string"),
        ({"tenant_id": None}, "tenant_id must be a string"),
        ({"meter_api_name": ""}, "meter_api_name must be a string"),
        ({"unique_id": ""}, "unique_id must be a string"),
        ({"value": True}, "value must be a finite float"),
        ({"value": "3"}, "value must be a finite float"),
        ({"value": float("nan")}, "value must be a finite float"),
        ({"value": float("-inf")}, "value must be a finite float"),
        ({"value": 2**63}, "value must be a finite float"),
        ({"time": datetime(2025, 3, 1)}, "time must be a datetime with a time zone"),  # noqa: DTZ001 - the zone is missing on purpose
        ({"time": 0}, "time must be a datetime with a time zone"),
        ({"dimensions": {"tags": ["a"]}}, "the dimension 'tags' must be a str"),
        ({"dimensions": {"share": float("nan")}}, "the dimension 'share' must be a str"),
        ({"dimensions": {"size": 10**20}}, "the dimension 'size' must be a str"),
        ({"dimensions": {1: "a"}}, "a dimension's name must be a string"),
        ({"dimensions": {"half": "\ud800"}}, "surrogates not allowed"),
        ({"dimensions": {"long": "é" * 31_500}}, "too large for an event"),
    ],
)
def test_an_invalid_usage_is_rejected_at_once(
    bus: Bus, emitter: UsageEmitter, invalid: dict[str, Any], message: str
) -> None:
    usage: dict[str, Any] = {"tenant_id": "acme", "meter_api_name": "api-calls", "value": 1, **invalid}
    with pytest.raises(ValueError, match=message):
        emitter.record(**usage)
    emitter.record("acme", "api-calls", 2)
    emitter.close()
    assert bus.values == [2]


def test_invalid_arguments_are_rejected() -> None:
    for invalid in (
        {"bus_name": ""},
        {"source": ""},
        {"linger": -1},
        {"buffer": 0},
        {"max_wait": -1},
        {"max_tries": 0},
    ):
        arguments: dict[str, Any] = {"bus_name": "b", "source": "s", **invalid}
        with pytest.raises(ValueError, match="must be"):
            UsageEmitter(**arguments)


def test_an_emitter_without_usage_does_not_load_boto3_or_start_a_thread() -> None:
    code = (
        "import sys, threading; from amberflo_workflows.emit import UsageEmitter; UsageEmitter('b', 's').close()\n"
        "print({'boto3', 'botocore', 'msgspec', 'aws_cdk'} & sys.modules.keys(), threading.active_count())"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"set() 1\n"
