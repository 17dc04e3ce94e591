import json
import secrets
import time
from pathlib import Path
from typing import Any

import pytest

from amberflo_workflows.local.deploy import put_secret
from amberflo_workflows.local.system import SECRET, System, running_system
from tests.attackers.key_search import Search, read_places
from tests.conftest import sandbox_of
from tests.entrypoints.calls import Api
from tests.polling import wait_until
from tests.system.trace import METERS, load_usages, sum_by_meter

pytestmark = [pytest.mark.system, pytest.mark.long]

COUNT = 2_000
# For all events to be counted; a slow machine needs more than the usual half a minute.
TIMEOUT_SECONDS = 600


def _put_events(system: System, details: list[Any]) -> None:
    events = system.client("events")
    for start in range(0, len(details), 10):
        entries = [
            {
                "EventBusName": system.outputs["EventBusName"],
                "Source": "applicationPlaneEventSource",
                "DetailType": ("ingestUsage", "sbt_aws_ingestUsage")[start % 20 // 10],
                "Detail": json.dumps(detail),
            }
            for detail in details[start : start + 10]
        ]
        assert events.put_events(Entries=entries)["FailedEntryCount"] == 0


def _fetch_totals(api: Api, ids: dict[str, str], *, by_name: bool) -> dict[str, dict[str, float]]:
    totals = {}
    for meter, meter_id in ids.items():
        name = f"&meterApiName={meter}" if by_name else ""
        start = int(time.time()) - 3 * 86_400
        response = api.call("GET", f"usage/{meter_id}?groupBy=customerId&startTimeInSeconds={start}{name}")
        groups = response.body["data"]["clientMeters"]
        totals[meter] = {group["group"]["groupInfo"]["customerId"]: group["groupValue"] for group in groups}
    return totals


def _wait_for_totals(api: Api, ids: dict[str, str], expected: dict[str, dict[str, int]]) -> None:
    # Each call of the API is an execution, so the sandbox tells when it is time for them.
    sandbox = sandbox_of(api.system)
    wait_until(lambda: {meter: sandbox.totals(meter) for meter in ids} == expected, TIMEOUT_SECONDS)
    assert _fetch_totals(api, ids, by_name=True) == expected
    assert _fetch_totals(api, ids, by_name=False) == expected


def test_a_new_system_counts_every_usage_and_exposes_the_key_nowhere(tmp_path: Path) -> None:
    since, core = time.time(), secrets.token_hex(12)
    key = f"k3y-{core}/must+not leak="
    usages = load_usages(COUNT)
    expected = sum_by_meter(usages)
    with running_system(tmp_path) as system:
        put_secret(system.emulator, SECRET, {"apiKey": key})
        sandbox_of(system).set_keys([key])
        api = Api(system)
        ids = {
            meter: api.call(
                "POST", "meters", {"label": meter, "meterApiName": meter, "meterType": "sum_of_all_usage"}
            ).body["data"]["id"]
            for meter in METERS
        }
        single, grouped = usages[:200], usages[200:]
        details: list[Any] = [*single, *({"records": grouped[at : at + 50]} for at in range(0, len(grouped), 50))]
        # EventBridge may deliver an event twice.
        _put_events(system, [*details, *details[::20]])
        _wait_for_totals(api, ids, expected)

        # The range of the cancellation starts with the next full second, after everything before was counted.
        start = int(time.time()) + 1
        time.sleep(start - time.time())
        now = start * 1000
        late = [{**usage, "uniqueId": f"late-{usage['uniqueId']}", "meterTimeInMillis": now} for usage in usages[:100]]
        _put_events(system, [{"records": late}])
        _wait_for_totals(api, ids, sum_by_meter(usages + late))
        window = {"startTimeInSeconds": start, "endTimeInSeconds": int(time.time()) + 1}
        for meter in METERS:
            rule = {"id": f"undo-{meter}", "meterApiName": meter, "ingestionTimeRange": window}
            assert api.call("DELETE", "usage", rule).status == 200
        _wait_for_totals(api, ids, expected)

        assert api.call("GET", f"usage/{ids['context-tokens']}?groupBy=nothing").status == 400
        sandbox_of(system).set_faults([{"kind": "wrong_key", "times": 4}])
        assert api.call("GET", "meters").status == 502
        assert api.call("GET", "meters").status == 502
        sandbox_of(system).clear_faults()
        contents = dict(read_places(system, tmp_path, since))

    logs = b"".join(content for place, content in contents.items() if place.startswith("log "))
    assert len([place for place in contents if place.startswith("execution ")]) > 30
    assert b"amberflo call" in logs
    assert api.token.encode() not in logs
    search = Search(core)
    places = [place for place, content in contents.items() if search.find_encodings(content)]
    # The emulator stores the secret in this file.
    assert [place for place in places if not place.endswith("/secretsmanager.json")] == []
