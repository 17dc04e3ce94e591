"""The steps of the demo on a running system."""

import json
import math
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeVar

import requests
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from amberflo_workflows.core.ledger.layout import HOUR_SECONDS, start_of_hour
from amberflo_workflows.local.system import System
from amberflo_workflows.operate.api_client import ApiClient
from amberflo_workflows.operate.ledger.reconciliation import start_reconciliation
from amberflo_workflows.operate.loopback import loopback_session
from amberflo_workflows.operate.usage_files import Totals, Usage, compute_totals
from amberflo_workflows.operate.usage_report import format_number, format_time

# Totals are final if they do not change for this time while the queue is empty.
QUIET_SECONDS: Final = 5.0
_RECORDS_PER_EVENT: Final = 100
_EVENTS_PER_CALL: Final = 10
_SINGLE_EVENTS: Final = 50

Item = TypeVar("Item")


class DemoFailed(Exception):
    """A step of the demo failed; the message says which one and why."""


class Demo:
    """Runs the demo on ``system`` and prints the results to ``console``."""

    def __init__(self, system: System, console: Console) -> None:
        self._system = system
        self._console = console
        self._meter_ids: dict[str, str] = {}
        self._since = 0

    def run(self, usages: Sequence[Usage]) -> bool:
        """Run all steps; whether all fetched totals are the expected ones."""
        first, later = usages[: len(usages) * 2 // 3], usages[len(usages) * 2 // 3 :]
        self._since = _report_start(usages)
        self._create_meters(sorted({usage["meterApiName"] for usage in usages}))
        self._send("Usage events on the bus", first)
        is_correct = self._compare("After the first events, by name", compute_totals(first), by_id=False)
        # Filtering rules have a resolution of one second, so the later usage is ingested in another second.
        time.sleep(1.1)
        start = int(time.time())
        self._send("More usage events", later)
        is_correct &= self._compare("After all events, by meter id", compute_totals(usages), by_id=True)
        meter = later[0]["meterApiName"]
        self._cancel(meter, start)
        remaining = [*first, *(usage for usage in later if usage["meterApiName"] != meter)]
        is_correct &= self._compare(
            f"After cancelling the later usage of {meter}", compute_totals(remaining), by_id=False
        )
        self._show_rejected()
        return is_correct & self._reconcile()

    def _call(self, method: str, path: str, expected_status: int, **options: Any) -> Any:
        response = requests.request(
            method,
            self._system.api_endpoint + path,
            headers={"Authorization": f"Bearer {self._system.access_token}"},
            timeout=60,
            **options,
        )
        if response.status_code != expected_status:
            raise DemoFailed(f"{method} {path} returned {response.status_code}: {response.text}")
        return response.json()["data"]

    def _create_meters(self, names: Sequence[str]) -> None:
        table = Table(title="Meters created: POST meters", title_justify="left")
        for column in ("meterApiName", "id", "execution"):
            table.add_column(column)
        for name in names:
            body = {"label": name, "meterApiName": name, "meterType": "sum_of_all_usage", "dimensions": []}
            meter = self._call("POST", "meters", 201, json=body)
            self._meter_ids[name] = meter["id"]
            table.add_row(name, meter["id"], "create_meter")
        self._console.print(table)

    def _send(self, title: str, usages: Sequence[Usage]) -> None:
        """Send some usages as single events and the others as lists, the two forms that applications can use."""
        single, others = usages[:_SINGLE_EVENTS], usages[_SINGLE_EVENTS:]
        details: list[object] = list(single)
        details += [{"records": list(batch)} for batch in batched(others, _RECORDS_PER_EVENT)]
        events = self._system.client("events")
        with self._progress() as progress:
            task = progress.add_task(f"{title}: {len(usages)} usages in {len(details)} events", total=len(details))
            for batch in batched(details, _EVENTS_PER_CALL):
                response = events.put_events(Entries=[self._entry(detail) for detail in batch])
                if response["FailedEntryCount"]:
                    raise DemoFailed(f"{response['FailedEntryCount']} events were rejected by the bus: {response}")
                progress.advance(task, len(batch))

    def _entry(self, detail: object) -> Any:
        return {
            "EventBusName": self._system.outputs["EventBusName"],
            "Source": "applicationPlaneEventSource",
            "DetailType": "ingestUsage",
            "Detail": json.dumps(detail),
        }

    def _compare(self, title: str, expected: Totals, *, by_id: bool) -> bool:
        """Fetch totals until they are the expected ones or no longer change, and print both; whether they are equal."""
        with self._progress() as progress:
            task = progress.add_task("Counting", total=1.0)
            fetched, quiet_since = self._fetch(by_id=by_id), time.monotonic()
            while not _are_equal(expected, fetched) and time.monotonic() - quiet_since < QUIET_SECONDS:
                progress.update(task, completed=min(sum(fetched.values()) / (sum(expected.values()) or 1), 1.0))
                time.sleep(0.3)
                before, fetched = fetched, self._fetch(by_id=by_id)
                if fetched != before or not self._queue_is_empty():
                    quiet_since = time.monotonic()
            progress.update(task, completed=1.0)
        self._console.print(_build_table(title, expected, fetched))
        return _are_equal(expected, fetched)

    def _queue_is_empty(self) -> bool:
        attributes = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        response = self._system.client("sqs").get_queue_attributes(
            QueueUrl=self._system.outputs["UsageQueueUrl"], AttributeNames=attributes
        )
        return all(int(number) == 0 for number in response["Attributes"].values())

    def _fetch(self, *, by_id: bool) -> Totals:
        query = f"startTimeInSeconds={self._since}&timeGroupingInterval=MONTH&groupBy=customerId"
        fetched: Totals = {}
        for name, meter_id in self._meter_ids.items():
            path = f"usage/{meter_id}?{query}" if by_id else f"usage/{meter_id}?meterApiName={name}&{query}"
            for group in self._call("GET", path, 200)["clientMeters"]:
                fetched[name, group["group"]["groupInfo"]["customerId"]] = group["groupValue"]
        return fetched

    def _cancel(self, meter: str, start: int) -> None:
        end = int(time.time()) + 1
        rule = {
            "id": "demo-cancellation",
            "meterApiName": meter,
            "ingestionTimeRange": {"startTimeInSeconds": start, "endTimeInSeconds": end},
        }
        self._call("DELETE", "usage", 200, json=rule)
        first, last = format_time(start), format_time(end)
        self._console.print(
            f"Cancelled the usage of {meter} that was ingested from {first} to {last} UTC: DELETE usage\n"
        )

    def _reconcile(self) -> bool:
        """Compare the ledger with the sandbox, hour by hour; whether they agree."""
        now = int(time.time())
        client = ApiClient(self._system.api_endpoint, self._system.access_token, loopback_session())
        first, last = start_of_hour(self._since), start_of_hour(now) + HOUR_SECONDS
        request = {"startTimeInSeconds": first, "endTimeInSeconds": last}
        outcomes: dict[str, int] = start_reconciliation(client, self._system, request).wait()["outcomes"]
        agreed, total = outcomes["agreed"], sum(outcomes.values())
        self._console.print(
            f"The ledger, with a receipt of each usage, agrees with the sandbox in {agreed:,} of {total:,} "
            "hours of a meter and a tenant: metering reconcile"
        )
        return agreed == total

    def _show_rejected(self) -> None:
        table = self._system.outputs["RejectedTableName"]
        pages = self._system.client("dynamodb").get_paginator("scan").paginate(TableName=table)
        items = list(pages.search("Items[]"))
        if items:
            self._console.print(f"{len(items)} usages were rejected and are stored in the table {table}, for example:")
            for item in items[:5]:
                self._console.print(f"  {item['uniqueId']['S']}: {item['reason']['S']}", markup=False)

    def _progress(self) -> Progress:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        return Progress(*columns, console=self._console)


def batched(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """Split items into batches of at most ``size``."""
    return (items[start : start + size] for start in range(0, len(items), size))


def _report_start(usages: Sequence[Usage]) -> int:
    """Return the start of the reports, an hour before the earliest usage, in epoch seconds."""
    now = int(time.time())
    times: list[int] = [usage.get("meterTimeInMillis") or now * 1000 for usage in usages]
    return min(times) // 1000 - 3600


def _are_equal(expected: Totals, fetched: Totals) -> bool:
    keys = expected.keys() | fetched.keys()
    return all(math.isclose(expected.get(key, 0), fetched.get(key, 0), rel_tol=1e-9, abs_tol=1e-9) for key in keys)


def _build_table(title: str, expected: Totals, fetched: Totals) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("meter")
    table.add_column("tenant")
    table.add_column("expected", justify="right")
    table.add_column("fetched", justify="right")
    table.add_column("")
    for key in sorted(expected.keys() | fetched.keys()):
        expected_value, fetched_value = expected.get(key, 0), fetched.get(key, 0)
        is_equal = math.isclose(expected_value, fetched_value, rel_tol=1e-9, abs_tol=1e-9)
        table.add_row(
            *key,
            format_number(expected_value),
            format_number(fetched_value),
            "ok" if is_equal else "[red]differs[/red]",
        )
    return table
