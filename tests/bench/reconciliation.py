"""What it takes to sort and to add up the ledger: processor time for a million records, and memory at two volumes."""

import json
import multiprocessing
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Raw

from amberflo_workflows.core import aws
from amberflo_workflows.core.ledger.layout import HOUR_SECONDS, format_folder
from amberflo_workflows.core.ledger.receipt import RECEIPTS_PREFIX, LedgerEntry, encode_receipt
from amberflo_workflows.core.ledger.sorting import sort_receipts
from amberflo_workflows.core.ledger.store import LedgerStore
from amberflo_workflows.core.ledger.totals import add_up
from amberflo_workflows.core.ledger.usages import UsageReader
from amberflo_workflows.core.usage_record import UsageRecord
from amberflo_workflows.local.emulator import Emulator, running_emulator

VOLUMES: Final = (200_000, 2_000_000)
_BUCKET: Final = "ledger-of-bench"
_START: Final = 1_795_788_000
_HOURS: Final = 2
_RECORDS_PER_RECEIPT: Final = 100_000
_TENANTS: Final = 500


def measure() -> list[dict[str, Any]]:
    """Return a row for each volume and step."""
    rows = []
    with tempfile.TemporaryDirectory() as folder, running_emulator(Path(folder), wait_scale=0) as emulator:
        for records in VOLUMES:
            store = _fill(emulator, records)
            rows += [_run(step, store, records) for step in (_sort, _compare)]
            _empty(store)
    return rows


def _fill(emulator: Emulator, records: int) -> LedgerStore:
    store = LedgerStore(emulator.client("s3"), _BUCKET)
    store.s3.create_bucket(Bucket=_BUCKET)
    for number in range(0, records, _RECORDS_PER_RECEIPT):
        key = f"{format_folder(RECEIPTS_PREFIX, _START)}{number:08}.ndjson.gz"
        store.put(key, encode_receipt(_build_entries(number)))
    return store


def _build_entries(first: int) -> Iterator[LedgerEntry]:
    """Records in the order in which they were counted, not in that of their time; one in ten was delivered twice."""
    for number in range(first, first + _RECORDS_PER_RECEIPT):
        millis = (_START + number * 7919 % (_HOURS * HOUR_SECONDS)) * 1000
        tenant = f"tenant-{number % _TENANTS}"
        record = UsageRecord(tenant, "api-calls", number % 1000, millis, f"request-{number}", {"region": "eu-west-1"})
        entry = LedgerEntry(
            outcome="counted",
            time="2026-11-27T15:00:00.000Z",
            execution_arn=f"arn:aws:states:us-east-1:123456789012:express:AmberfloMetering-IngestUsage:{number // 300}",
            key_version="version",
            event_id=f"event-{number}",
            record=Raw(msgspec.json.encode(record)),
        )
        yield entry
        if number % 10 == 0:
            yield entry


def _sort(store: LedgerStore) -> None:
    sort_receipts(store, list(store.list_unsorted(0)))


def _compare(store: LedgerStore) -> None:
    for hour in range(_HOURS):
        start = _START + hour * HOUR_SECONDS
        add_up(UsageReader(store, start, start + HOUR_SECONDS).read())


def _run(step: Callable[[LedgerStore], None], store: LedgerStore, records: int) -> dict[str, Any]:
    """Run a step in a process of its own, so that its memory can be told."""
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=_measure_here, args=(step.__name__, store.s3.meta.endpoint_url, queue))
    process.start()
    seconds, mebibytes = json.loads(queue.get())
    process.join()
    return {
        "step": step.__name__.strip("_"),
        "records": records,
        "processor s per million records": round(seconds * 1e6 / records, 1),
        "memory, MiB": round(mebibytes),
    }


def _measure_here(step: str, url: str, queue: Any) -> None:
    emulated = {"AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    os.environ |= {**emulated, "AWS_DEFAULT_REGION": "us-east-1"}
    store = LedgerStore(aws.client("s3", read_seconds=10), _BUCKET)
    started = time.process_time()
    {"_sort": _sort, "_compare": _compare}[step](store)
    # The maximum that getrusage tells includes that of the process which started this one.
    (peak,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    queue.put(json.dumps([time.process_time() - started, int(peak) / 1024]))


def _empty(store: LedgerStore) -> None:
    for item in list(store.iterate_objects("")):
        store.s3.delete_object(Bucket=_BUCKET, Key=item.key)
    store.s3.delete_bucket(Bucket=_BUCKET)
