"""Every usage is counted once, whatever fails on the way, and the ledger has it. ``make soak`` runs the long form."""

import json
import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from amberflo_workflows.local.demo.run import batched
from amberflo_workflows.local.system import System, running_system
from tests.conftest import sandbox_of
from tests.polling import wait_until
from tests.runbook.sending import count_messages
from tests.system.reconciling import check_that_all_agree, check_that_lost_usage_comes_back, spread_over_hours
from tests.system.trace import METERS, load_usages, sum_by_meter
from tests.system.workers import kill_workers
from tests.workflows.payloads import check_all_executions

pytestmark = [pytest.mark.system, pytest.mark.long]

SOAK = bool(os.environ.get("METERING_SOAK"))
COUNT, OUTAGE_SECONDS, KILL_INTERVAL_SECONDS = (38_732, 60, 15) if SOAK else (2_000, 5, 3)
# A limit for a system that hangs. A fast machine needs a tenth of it.
TIMEOUT_SECONDS = 1_800 if SOAK else 600
MIN_KILLS = 3
INGEST_QUEUE = "amberflo_workflows.entrypoints.ingest_queue.handler"
# Instead of half an hour, so that the events of a killed worker are soon delivered again.
VISIBILITY_TIMEOUT_SECONDS = 20
# Together they affect a tenth of all calls.
FAULTS: list[dict[str, Any]] = [
    {"kind": "status", "status": 429, "share": 0.025, "seed": 1},
    {"kind": "status", "status": 503, "share": 0.025, "seed": 2},
    {"kind": "accept_then_drop", "share": 0.025, "seed": 3},
    {"kind": "hang", "seconds": 30, "share": 0.025, "seed": 4},
]


def _build_entries(system: System, usages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Events with one usage and with many. One in twenty is sent a second time, later."""
    rng = random.Random(7)  # noqa: S311 - must be repeatable
    single, grouped = usages[: len(usages) // 2], usages[len(usages) // 2 :]
    details: list[Any] = [*single, *({"records": batch} for batch in batched(grouped, 20))]
    details += rng.sample(details, len(details) // 20)
    rng.shuffle(details)
    detail_types = ("ingestUsage", "sbt_aws_ingestUsage")
    return [
        {
            "EventBusName": system.outputs["EventBusName"],
            "Source": "my.app",
            "DetailType": detail_types[number % 2],
            "Detail": json.dumps(detail),
        }
        for number, detail in enumerate(details)
    ]


def _fetch_totals(system: System) -> dict[str, dict[str, float]]:
    return {meter: sandbox_of(system).totals(meter) for meter in METERS}


@contextmanager
def _killed_workers(system: System) -> Iterator[list[int]]:
    """Kill all workers of the queue at every interval. The list gets their number each time there were any."""
    kills: list[int] = []
    stopped = threading.Event()

    def kill() -> None:
        while not stopped.wait(KILL_INTERVAL_SECONDS):
            if count := kill_workers(system, INGEST_QUEUE):
                kills.append(count)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield kills
    finally:
        stopped.set()
        killer.join()


def _send(system: System, entries: list[dict[str, Any]], kills: list[int]) -> int:
    """Send all events, with an outage of Amberflo after half of them and at least one kill after each quarter.

    Returns how many calls the faults before the outage and the outage affected.
    """
    struck = 0
    batches = list(batched(entries, 10))
    for number, batch in enumerate(batches, 1):
        assert system.client("events").put_events(Entries=batch)["FailedEntryCount"] == 0
        if number == len(batches) // 2:
            struck += _count_struck(system)
            sandbox_of(system).set_faults([{"kind": "status", "status": 503}])
            time.sleep(OUTAGE_SECONDS)
            struck += _count_struck(system)
            sandbox_of(system).create_meters(*METERS)
            sandbox_of(system).set_faults(FAULTS)
        _wait_for_kills(kills, min(number * 4 // len(batches), MIN_KILLS))
    return struck


def _count_struck(system: System) -> int:
    """The number of calls that the current faults have affected."""
    return sum(int(fault["struck"]) for fault in sandbox_of(system).faults())


def _wait_for_kills(kills: list[int], count: int) -> None:
    """Ends in any case, because each quarter of the events starts workers that can be killed."""
    assert wait_until(lambda: len(kills) >= count, TIMEOUT_SECONDS)


def test_every_usage_is_counted_once_despite_faults_killed_workers_and_an_outage(tmp_path: Path) -> None:
    usages = spread_over_hours(load_usages(COUNT))
    with running_system(tmp_path) as system:
        system.client("sqs").set_queue_attributes(
            QueueUrl=system.outputs["UsageQueueUrl"], Attributes={"VisibilityTimeout": str(VISIBILITY_TIMEOUT_SECONDS)}
        )
        sandbox_of(system).create_meters(*METERS)
        sandbox_of(system).set_faults(FAULTS)
        started = time.monotonic()
        entries = _build_entries(system, usages)
        with _killed_workers(system) as kills:
            struck_before = _send(system, entries, kills)
        assert wait_until(lambda: count_messages(system) == 0, TIMEOUT_SECONDS)
        seconds = time.monotonic() - started
        measured = check_all_executions(system)
        struck = struck_before + _count_struck(system)
        records = sandbox_of(system).requests()["records"]
        memory = psutil.Process(system.emulator.server.pid).memory_info().rss // 1_000_000
        print(
            f"\n{len(usages):,} usages in {len(entries):,} events, {seconds:.0f} s: {sum(kills)} workers killed, "
            f"{struck} calls affected by faults, {records:,} records received by Amberflo, emulator {memory} MB, "
            f"{measured}"
        )
        assert count_messages(system, "UsageDeadLetterQueueUrl") == 0
        assert system.client("dynamodb").scan(TableName=system.outputs["RejectedTableName"])["Items"] == []
        assert _fetch_totals(system) == sum_by_meter(usages)
        sandbox_of(system).clear_faults()
        started = time.monotonic()
        check_that_all_agree(system, usages)
        print(f"reconciled after {time.monotonic() - started:.0f} s", end="")
        check_that_lost_usage_comes_back(system, usages)
        print(f", and what was lost is back after {time.monotonic() - started:.0f} s")
    # The faults had an effect: some records were sent more than once.
    assert records > len(usages)
    assert struck >= 5
