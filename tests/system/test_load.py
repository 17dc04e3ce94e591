"""Usage by the hundred thousand and callers beside it. ``make soak`` is the long form of it."""

import json
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from amberflo_workflows.emit import UsageEmitter
from amberflo_workflows.local.demo.run import batched
from amberflo_workflows.local.system import System, running_system
from amberflo_workflows.operate.usage_files import Totals, Usage, compute_totals
from tests.conftest import sandbox_of
from tests.entrypoints.calls import Api
from tests.runbook.sending import waiting
from tests.system.callers import Call, Made, make, percentiles
from tests.system.watch import Watched, watching
from tests.system.workers import cpu_seconds

pytestmark = pytest.mark.system

SOAK = bool(os.environ.get("METERING_SOAK"))
COUNT, CALLS, IDLE_CALLS, AT_ONCE = (200_000, 1_000, 200, 16) if SOAK else (6_000, 100, 40, 6)
PATIENCE_SECONDS, LOOK_EVERY_SECONDS = (3_600, 2.0) if SOAK else (240, 0.5)
METERS = ("api-calls", "storage-bytes", "model-tokens")
TENANTS = 41
# In place of half an hour, and longer than a chunk needs that meets several faults.
VISIBILITY_SECONDS = 60
# A tenth of what brings usage, a hundredth of the rest: what callers wait for then is mostly not the faults.
FAULTS: list[dict[str, Any]] = [
    {"kind": "status", "status": 429, "path": "/ingest", "share": 0.025, "seed": 1},
    {"kind": "status", "status": 503, "path": "/ingest", "share": 0.025, "seed": 2},
    {"kind": "accept_then_drop", "path": "/ingest", "share": 0.025, "seed": 3},
    {"kind": "hang", "seconds": 3, "path": "/ingest", "share": 0.025, "seed": 4},
    {"kind": "status", "status": 503, "share": 0.01, "seed": 5},
]
# What docs/api.md gives for an Amberflo that failed, throttled or was slow until the tries were used up: try again.
RETRYABLE = {502, 503, 504}
# A worker may have grown by so much, since pools fill up; what it kept of each usage would be far more. The first third
# of the short form is hardly more than the start.
GROWTH = 1.15 if SOAK else 1.5


def _usage(number: int, now_in_millis: int, name: str) -> Usage:
    return {
        "tenantId": f"tenant-{number % TENANTS}",
        "meterApiName": METERS[number % len(METERS)],
        "meterValue": number % 97 + 1,
        "meterTimeInMillis": now_in_millis - number,
        "uniqueId": f"{name}-{number}",
    }


def _send(system: System, usages: Sequence[Usage]) -> None:
    """Of each thousand a hundred as events of their own, of which some come twice; the others through our emitter."""
    events, bus = system.client("events"), system.outputs["EventBusName"]
    with UsageEmitter(bus, source="my.app", client=events, max_wait=PATIENCE_SECONDS) as emitter:
        for part in batched(usages, 1_000):
            for usage in part[100:]:
                emitter.record(
                    usage["tenantId"],
                    usage["meterApiName"],
                    usage["meterValue"],
                    time=datetime.fromtimestamp(usage["meterTimeInMillis"] / 1000, UTC),
                    unique_id=usage["uniqueId"],
                )
            for single in batched([*part[:100], *part[:100:20]], 10):
                entries = [
                    {
                        "EventBusName": bus,
                        "Source": "my.app",
                        "DetailType": "ingestUsage",
                        "Detail": json.dumps(usage),
                    }
                    for usage in single
                ]
                assert events.put_events(Entries=entries)["FailedEntryCount"] == 0


def _calls(count: int, meter_ids: Sequence[str], reported: Sequence[Usage]) -> Iterator[Call]:
    """One of each kind in turn; ``reported`` is what those bring that report usage."""
    for number in range(count):
        meter = meter_ids[number % len(meter_ids)]
        yield (
            Call("list", "GET", "meters"),
            Call("get", "GET", f"meters/{meter}"),
            Call("fetch usage", "GET", f"usage/{meter}?groupBy=customerId"),
            Call("ingest", "POST", "ingest", reported[number // 4]),
        )[number % 4]


def _repeated(api: Api, made: Sequence[Made]) -> None:
    """Those that reported usage and failed, again, as their callers may: the usage has an identity."""
    left = [one.call for one in made if one.call.kind == "ingest" and one.status != 200]
    for _ in range(5):
        left = [one.call for one in make(api, AT_ONCE, left) if one.status != 200]


def _counted(system: System) -> Totals:
    return {(meter, tenant): value for meter in METERS for tenant, value in sandbox_of(system).totals(meter).items()}


def _shown_calls(idle: Sequence[Made], busy: Sequence[Made]) -> str:
    lines = [f"{AT_ONCE} callers at once, seconds: p50 and p95 without other load, with it, ratios"]
    for kind in ("list", "get", "fetch usage", "ingest", ""):
        before, under = (percentiles([one for one in made if kind in one.call.kind]) for made in (idle, busy))
        ratios = [now / then for then, now in zip(before, under, strict=True)]
        figures = "  ".join(f"{one:6.2f} {other:6.2f}" for one, other in (before, under, ratios))
        lines.append(f"{kind or 'all':>12} {figures}")
    return "\n".join(lines)


def _shown_cpu(before: dict[str, float], after: dict[str, float]) -> str:
    grown = {name: seconds - before.get(name, 0) for name, seconds in after.items()}
    largest = sorted(grown.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {seconds:.1f}" for name, seconds in largest if seconds >= 0.1)


def _shown_memory(watched: Watched) -> str:
    lines = ["memory of the largest process, MB: in the first third, in the last"]
    for name, sizes in watched.thirds().items():
        lines.append(f"{name:>32} {sizes[0] // 1_000_000:5} {sizes[1] // 1_000_000:5}")
    return "\n".join(lines)


def test_under_load_every_usage_counts_once_callers_are_answered_and_no_process_grows_or_stays(tmp_path: Path) -> None:
    now = int(time.time() * 1000)
    given = [_usage(number, now, "event") for number in range(COUNT)]
    reported = [_usage(number, now, "call") for number in range((IDLE_CALLS + CALLS) // 4)]
    with running_system(tmp_path) as system:
        queue = {"QueueUrl": system.outputs["UsageQueueUrl"]}
        system.client("sqs").set_queue_attributes(**queue, Attributes={"VisibilityTimeout": str(VISIBILITY_SECONDS)})
        api = Api(system)
        meters = [{"label": name, "meterApiName": name, "meterType": "sum_of_all_usage"} for name in METERS]
        meter_ids = [api.call("POST", "meters", meter).body["data"]["id"] for meter in meters]
        # All that are of a kind at once, so that each function has its workers.
        make(api, AT_ONCE, sorted(_calls(4 * AT_ONCE, meter_ids, reported), key=lambda call: call.kind))
        sandbox_of(system).set_faults(FAULTS)
        idle = make(api, AT_ONCE, _calls(IDLE_CALLS, meter_ids, reported))
        with watching(system, LOOK_EVERY_SECONDS) as watched:
            started, worked = time.monotonic(), cpu_seconds(system)
            with ThreadPoolExecutor(1) as sender:
                sent = sender.submit(_send, system, given)
                busy = make(api, AT_ONCE, _calls(CALLS, meter_ids, reported[IDLE_CALLS // 4 :]))
                called, left = time.monotonic() - started, waiting(system)
                working = cpu_seconds(system)
                sent.result()
            while waiting(system) and time.monotonic() - started < PATIENCE_SECONDS:
                time.sleep(LOOK_EVERY_SECONDS)
            seconds = time.monotonic() - started
        _repeated(api, [*idle, *busy])
        statuses = Counter(one.status for one in [*idle, *busy])
        print(
            f"\n{COUNT:,} usages in {seconds:.0f} s, {COUNT / seconds:,.0f} a second; "
            f"{CALLS:,} calls in the first {called:.0f} s, after which {left:,} events were waiting\n"
            f"answers {dict(statuses)}, faults struck {[fault['struck'] for fault in sandbox_of(system).faults()]}\n"
            f"processor seconds meanwhile {_shown_cpu(worked, working)}\n"
            f"{_shown_calls(idle, busy)}\n{_shown_memory(watched)}"
        )
        assert waiting(system, "UsageDeadLetterQueueUrl") == 0
        assert system.client("dynamodb").scan(TableName=system.outputs["RejectedTableName"])["Items"] == []
        assert _counted(system) == compute_totals([*given, *reported])
    assert statuses.keys() <= {200, *RETRYABLE}
    # The retries of the workflows leave hardly any of the faults to the callers.
    assert statuses[200] >= 0.98 * statuses.total()
    grown = {name: sizes for name, sizes in watched.thirds().items() if sizes[1] > sizes[0] * GROWTH}
    assert grown.keys() <= {"emulator", "sandbox"}
    assert watched.living() == []
