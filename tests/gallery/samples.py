"""A local system with as much in it as a large installation has in a day, and its samples by what they are."""

import time
import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from amberflo_workflows.local.system import System
from amberflo_workflows.operate.rejected.dead_letters import DeadLetters
from amberflo_workflows.operate.rejected.item_filter import ItemFilter
from amberflo_workflows.operate.rejected.table import RejectedTable
from tests.bench.pages import start_executions
from tests.conftest import sandbox_of
from tests.console.reconciliation_samples import build_request, count_with_drift, start_reconciliation
from tests.console.rejected_samples import send_dead_event
from tests.entrypoints.calls import Api, ApiResult
from tests.gallery.pages import Samples
from tests.workflows.runner import Runner

METERS: Final = 60
TENANTS: Final = 200
# Names as long as a UUID with a path, which have no place to break.
LONG_METER: Final = "requests-by-region-and-customer-segment-production"
LONG_TENANT: Final = "organisations-of-the-northern-region-0b7f6c1e-4f0e-4c1b-9d2a-2f3a5c6e7d8f-production"
LONG_VALUE: Final = 123_456_789_012_345
_MAX_RECORDS: Final = 300
_CONCURRENCY: Final = 4
_HOUR_MILLIS: Final = 3_600_000
_UNAVAILABLE: Final = {"kind": "status", "status": 503}


def fill(system: System) -> Samples:
    """Create 60 meters, 200 tenants, their usage, 10,000 executions and an example of each problem.

    Returns the ids by the names that the gallery's pages have in their paths.
    """
    api = Api(system)
    meters = [LONG_METER, "api-calls", *(f"meter-{number:02}" for number in range(METERS - 2))]
    tenants = [LONG_TENANT, *(f"tenant-{number:03}" for number in range(TENANTS - 1))]
    created = [_create_meter(api, name) for name in meters]
    with ThreadPoolExecutor(_CONCURRENCY) as pool:
        list(pool.map(lambda tenant: _onboard(system, tenant), tenants))
        responses = list(
            pool.map(lambda records: _succeed(api.call("POST", "ingest", records)), _batches(meters, tenants))
        )
    start_executions(system)
    samples = {
        "meter": created[0].body["data"]["id"],
        "meter_name": LONG_METER,
        "tenant": LONG_TENANT,
        "ingest": responses[0].headers["x-execution-arn"],
        **_cause_problems(system, api),
    }
    return {**samples, **_cancel_and_reconcile(system, api)}


def _create_meter(api: Api, name: str) -> ApiResult:
    fields = {"meterType": "sum_of_all_usage", "dimensions": ["region", "method"], "unit": "requests"}
    return _succeed(api.call("POST", "meters", {"meterApiName": name, "label": f"The meter {name}", **fields}))


def _onboard(system: System, tenant: str) -> None:
    detail = {"tenantId": tenant, "tenantName": f"{tenant} Ltd."}
    event = {"id": str(uuid.uuid4()), "detail-type": "onboardingRequest", "detail": detail}
    Runner(system, endpoint=None).run("create_customer", event)


def _succeed(result: ApiResult) -> ApiResult:
    if result.status >= 300:
        raise RuntimeError(f"The API responded with {result.status}: {result.body}")
    return result


def _batches(meters: list[str], tenants: list[str]) -> Iterator[dict[str, Any]]:
    """Usage of each tenant in the last two days, and of each meter."""
    now = int(time.time() * 1000)
    records = [
        {
            "tenantId": tenant,
            "meterApiName": meter,
            "meterValue": LONG_VALUE if tenant == LONG_TENANT else (number * 37 + hours) % 900 + 1,
            "meterTimeInMillis": now - hours * _HOUR_MILLIS - number,
            "region": ("eu-central-1", "us-east-1", "ap-southeast-2")[number % 3],
        }
        for number, (tenant, meter) in enumerate(_pairs(meters, tenants))
        for hours in range(0, 48, 6)
    ]
    for start in range(0, len(records), _MAX_RECORDS):
        yield {"records": records[start : start + _MAX_RECORDS]}


def _pairs(meters: list[str], tenants: list[str]) -> Iterable[tuple[str, str]]:
    """Each tenant with the long meter and another one, and the long tenant with every meter."""
    yield from ((tenant, meters[0]) for tenant in tenants)
    yield from ((tenant, meters[1 + number % (len(meters) - 1)]) for number, tenant in enumerate(tenants[1:]))
    yield from ((tenants[0], meter) for meter in meters[1:])


def _cause_problems(system: System, api: Api) -> Samples:
    """Cause failed, retried and 4xx executions, rejected usage and dead events."""
    sandbox = sandbox_of(system)
    sandbox.set_faults([_UNAVAILABLE])
    failed = api.call("GET", "meters").headers["x-execution-arn"]
    _onboard(system, LONG_TENANT)
    sandbox.set_faults([{**_UNAVAILABLE, "times": 2}])
    retried = api.call("GET", "customers").headers["x-execution-arn"]
    sandbox.clear_faults()
    api.call("GET", "meters/unknown-meter")
    values: list[Any] = ["many", None, [], {"n": 1}, True, "1,5"]
    rejected = [
        {"tenantId": LONG_TENANT, "meterApiName": LONG_METER, "meterValue": value, "note": "a note " * 30}
        for value in values * 10
    ]
    rejected += [
        {"tenantId": "tenant-001", "meterApiName": f"unknown-{number}", "meterValue": 1} for number in range(60)
    ]
    _succeed(api.call("POST", "ingest", {"records": rejected}))
    for number in range(40):
        send_dead_event(system, {"records": [{"tenantId": f"tenant-{number:03}", "meterApiName": LONG_METER}] * 3})
    with DeadLetters(system).receive() as events:
        dead = next(event.id for event in events if event.workflow)
    (item, *_) = RejectedTable(system).list_items(ItemFilter())
    return {"failed": failed, "retried": retried, "rejected": item.id, "dead": dead}


def _cancel_and_reconcile(system: System, api: Api) -> Samples:
    """Cancel usage with a rule, and find differences in a reconciliation."""
    now = int(time.time())
    rule = {"id": f"the rule of a mistaken import of {LONG_METER}", "meterApiName": "meter-00", "allowFuture": True}
    rule["ingestionTimeRange"] = {"startTimeInSeconds": now - 60, "endTimeInSeconds": now + 60}
    _succeed(api.call("DELETE", "usage", rule))
    count_with_drift(system, LONG_TENANT)
    return {"reconciliation": start_reconciliation(system, build_request(LONG_TENANT))}
