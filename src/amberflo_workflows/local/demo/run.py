"""The steps of the demo, over a system that runs."""

import json
import math
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeVar

import requests
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from amberflo_workflows.local.system import System
from amberflo_workflows.operate.usage_files import Totals, Usage, compute_totals

# How long totals may stand still with nothing in the queue before they are taken for final.
QUIET_SECONDS: Final = 5.0
_RECORDS_AN_EVENT: Final = 100
_EVENTS_A_CALL: Final = 10
_SINGLE_EVENTS: Final = 50

Item = TypeVar("Item")


class DemoFailed(Exception):
    """A step of the demo did not do what it should; the message says which."""


class Demo:
    """One run of the main job against ``system``, told to ``console``."""

    def __init__(self, system: System, console: Console) -> None:
        self._system = system
        self._console = console
        self._meter_ids: dict[str, str] = {}
        self._since = 0

    def run(self, usages: Sequence[Usage]) -> bool:
        """True if all that was fetched is what was expected."""
        first, later = usages[: len(usages) * 2 // 3], usages[len(usages) * 2 // 3 :]
        self._since = _report_start(usages)
        self._create_meters(sorted({usage["meterApiName"] for usage in usages}))
        self._send("Usage events on the bus", first)
        good = self._compare("After the first events, by name", compute_totals(first), by_id=False)
        # Filtering rules know whole seconds of ingestion time: a clear second between what stays and what goes.
        time.sleep(1.1)
        begin = int(time.time())
        self._send("More usage events", later)
        good &= self._compare("After all events, by meter id", compute_totals(usages), by_id=True)
        meter = later[0]["meterApiName"]
        self._cancel(meter, begin)
        left = [*first, *(usage for usage in later if usage["meterApiName"] != meter)]
        good &= self._compare(f"After cancelling the later usage of {meter}", compute_totals(left), by_id=False)
        self._show_rejected()
        return good

    def _call(self, method: str, path: str, expected: int, **arguments: Any) -> Any:
        response = requests.request(
            method,
            self._system.api_endpoint + path,
            headers={"Authorization": f"Bearer {self._system.access_token}"},
            timeout=60,
            **arguments,
        )
        if response.status_code != expected:
            raise DemoFailed(f"{method} {path} answered {response.status_code}: {response.text}")
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
        """Some as events of their own, the rest many to an event: what application code may do."""
        single, together = usages[:_SINGLE_EVENTS], usages[_SINGLE_EVENTS:]
        details: list[object] = list(single)
        details += [{"records": list(batch)} for batch in batched(together, _RECORDS_AN_EVENT)]
        events = self._system.client("events")
        with self._progress() as progress:
            task = progress.add_task(f"{title}: {len(usages)} usages in {len(details)} events", total=len(details))
            for batch in batched(details, _EVENTS_A_CALL):
                answer = events.put_events(Entries=[self._entry(detail) for detail in batch])
                if answer["FailedEntryCount"]:
                    raise DemoFailed(f"{answer['FailedEntryCount']} events were not taken by the bus: {answer}")
                progress.advance(task, len(batch))

    def _entry(self, detail: object) -> Any:
        return {
            "EventBusName": self._system.outputs["EventBusName"],
            "Source": "applicationPlaneEventSource",
            "DetailType": "ingestUsage",
            "Detail": json.dumps(detail),
        }

    def _compare(self, title: str, expected: Totals, *, by_id: bool) -> bool:
        """Fetch until the totals are there or nothing more is to come, and show them beside what they should be."""
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
        answer = self._system.client("sqs").get_queue_attributes(
            QueueUrl=self._system.outputs["UsageQueueUrl"], AttributeNames=attributes
        )
        return all(int(number) == 0 for number in answer["Attributes"].values())

    def _fetch(self, *, by_id: bool) -> Totals:
        query = f"startTimeInSeconds={self._since}&timeGroupingInterval=MONTH&groupBy=customerId"
        fetched: Totals = {}
        for name, meter_id in self._meter_ids.items():
            path = f"usage/{meter_id}?{query}" if by_id else f"usage/{meter_id}?meterApiName={name}&{query}"
            for group in self._call("GET", path, 200)["clientMeters"]:
                fetched[name, group["group"]["groupInfo"]["customerId"]] = group["groupValue"]
        return fetched

    def _cancel(self, meter: str, begin: int) -> None:
        end = int(time.time()) + 1
        rule = {
            "id": "demo-cancellation",
            "meterApiName": meter,
            "ingestionTimeRange": {"startTimeInSeconds": begin, "endTimeInSeconds": end},
        }
        self._call("DELETE", "usage", 200, json=rule)
        self._console.print(f"Cancelled what {meter} took in between {begin} and {end}: DELETE usage\n")

    def _show_rejected(self) -> None:
        table = self._system.outputs["RejectedTableName"]
        items = self._system.client("dynamodb").scan(TableName=table)["Items"]
        if items:
            self._console.print(f"{len(items)} usages were rejected and wait in the table {table}, for instance:")
            for item in items[:5]:
                self._console.print(f"  {item['uniqueId']['S']}: {item['reason']['S']}", markup=False)

    def _progress(self) -> Progress:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        return Progress(*columns, console=self._console)


def batched(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """Cut into runs of at most ``size``."""
    return (items[start : start + size] for start in range(0, len(items), size))


def _report_start(usages: Sequence[Usage]) -> int:
    """Epoch seconds of the first usage, or of an hour ago for usages that take the time of their event."""
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
        wanted, got = expected.get(key, 0), fetched.get(key, 0)
        same = math.isclose(wanted, got, rel_tol=1e-9, abs_tol=1e-9)
        table.add_row(*key, f"{wanted:,.10g}", f"{got:,.10g}", "ok" if same else "[red]differs[/red]")
    return table
