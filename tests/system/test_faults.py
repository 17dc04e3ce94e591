"""Every usage counts once, whatever goes wrong on its way. ``make soak`` is the long form of it."""

import json
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from amberflo_workflows.local.demo.run import batched
from amberflo_workflows.local.system import System, running_system
from tests.conftest import sandbox_of
from tests.runbook.sending import waiting
from tests.system.trace import usages
from tests.system.workers import kill_workers

pytestmark = pytest.mark.system

SOAK = bool(os.environ.get("METERING_SOAK"))
COUNT, OUTAGE_SECONDS, KILL_EVERY_SECONDS = (38_732, 60, 15) if SOAK else (3_000, 6, 3)
PATIENCE_SECONDS = 1_800 if SOAK else 240
METERS = ("context-tokens", "generated-tokens")
INGEST_QUEUE = "amberflo_workflows.entrypoints.ingest_queue.handler"
# In place of half an hour: what a killed worker had in hand is soon delivered again.
VISIBILITY_SECONDS = 20
# Together a tenth of all calls.
FAULTS: list[dict[str, Any]] = [
    {"kind": "status", "status": 429, "share": 0.025, "seed": 1},
    {"kind": "status", "status": 503, "share": 0.025, "seed": 2},
    {"kind": "accept_then_drop", "share": 0.025, "seed": 3},
    {"kind": "hang", "seconds": 30, "share": 0.025, "seed": 4},
]


def _entries(system: System, given: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Events of one usage and of many; one in twenty comes twice, later."""
    chance = random.Random(7)  # noqa: S311 - has to be repeatable
    alone, together = given[: len(given) // 2], given[len(given) // 2 :]
    details: list[Any] = [*alone, *({"records": batch} for batch in batched(together, 20))]
    details += chance.sample(details, len(details) // 20)
    chance.shuffle(details)
    kinds = ("ingestUsage", "sbt_aws_ingestUsage")
    return [
        {
            "EventBusName": system.outputs["EventBusName"],
            "Source": "my.app",
            "DetailType": kinds[number % 2],
            "Detail": json.dumps(detail),
        }
        for number, detail in enumerate(details)
    ]


def _expected(given: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    sums: dict[str, Counter[str]] = {meter: Counter() for meter in METERS}
    for usage in given:
        sums[usage["meterApiName"]][usage["tenantId"]] += usage["meterValue"]
    return {meter: dict(counted) for meter, counted in sums.items()}


def _counted(system: System) -> dict[str, dict[str, float]]:
    return {meter: sandbox_of(system).totals(meter) for meter in METERS}


@contextmanager
def _killing(system: System) -> Iterator[list[int]]:
    """Workers of the queue die now and then, all that there are at once."""
    killed: list[int] = []
    ended = threading.Event()

    def kill() -> None:
        while not ended.wait(KILL_EVERY_SECONDS):
            killed.append(kill_workers(system, INGEST_QUEUE))

    killer = threading.Thread(target=kill)
    killer.start()
    yield killed
    ended.set()
    killer.join()


def test_no_usage_is_lost_and_none_counts_twice_though_everything_fails_now_and_then(tmp_path: Path) -> None:
    given = usages(COUNT)
    expected = _expected(given)
    with running_system(tmp_path) as system:
        system.client("sqs").set_queue_attributes(
            QueueUrl=system.outputs["UsageQueueUrl"], Attributes={"VisibilityTimeout": str(VISIBILITY_SECONDS)}
        )
        sandbox_of(system).set_faults(FAULTS)
        started = time.monotonic()
        with _killing(system) as killed:
            entries = _entries(system, given)
            for number, batch in enumerate(batched(entries, 10)):
                assert system.client("events").put_events(Entries=batch)["FailedEntryCount"] == 0
                if number == len(entries) // 20:
                    sandbox_of(system).set_faults([{"kind": "status", "status": 503}])
                    time.sleep(OUTAGE_SECONDS)
                    sandbox_of(system).set_faults(FAULTS)
            while len([count for count in killed if count]) < 3:
                time.sleep(0.5)
        while waiting(system) and time.monotonic() - started < PATIENCE_SECONDS:
            time.sleep(0.5)
        seconds = time.monotonic() - started
        struck = [(fault["kind"], fault["struck"]) for fault in sandbox_of(system).faults()]
        records = sandbox_of(system).requests()["records"]
        memory = psutil.Process(system.emulator.server.pid).memory_info().rss // 1_000_000
        print(
            f"\n{len(given):,} usages in {len(entries):,} events, {seconds:.0f} s: {sum(killed)} workers killed, "
            f"faults struck {struck}, {records:,} records taken by Amberflo, emulator {memory} MB"
        )
        assert waiting(system, "UsageDeadLetterQueueUrl") == 0
        assert system.client("dynamodb").scan(TableName=system.outputs["RejectedTableName"])["Items"] == []
        assert _counted(system) == expected
    # It was a storm: some records came more than once.
    assert records > len(given)
    assert sum(times for _, times in struck) >= 5
