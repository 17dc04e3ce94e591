import base64
import json
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from amberflo_workflows.local.system import System
from amberflo_workflows.operate.rejected.item_filter import ItemFilter
from amberflo_workflows.operate.rejected.table import RejectedTable
from tests.cli.metering import Metering
from tests.conftest import sandbox_of
from tests.polling import wait_until

pytestmark = [pytest.mark.emulator, pytest.mark.meters("api-calls")]


@pytest.fixture
def metering(system: System, tmp_path: Path) -> Iterator[Metering]:
    _purge_queues(system)
    yield Metering(system, tmp_path)
    _purge_queues(system)


def _purge_queues(system: System) -> None:
    for queue in ("UsageDeadLetterQueueUrl", "TenantDeadLetterQueueUrl"):
        system.client("sqs").purge_queue(QueueUrl=system.outputs[queue])


def _send_to_dead_letter_queue(system: System, detail: Any) -> None:
    """Send an event to the dead-letter queue in the form in which SQS moves it there."""
    event = {
        "id": str(uuid.uuid4()),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "detail-type": "ingestUsage",
        "detail": detail,
    }
    system.client("sqs").send_message(QueueUrl=system.outputs["UsageDeadLetterQueueUrl"], MessageBody=json.dumps(event))


def _usage(tenant: str) -> dict[str, Any]:
    return {"tenantId": tenant, "meterApiName": "api-calls", "meterValue": 4}


def test_dead_events_are_listed_each_time(metering: Metering) -> None:
    _send_to_dead_letter_queue(metering.system, {"records": [_usage("acme"), _usage("globex"), "junk"]})
    _send_to_dead_letter_queue(metering.system, _usage("initech"))
    for _ in range(2):
        listed = metering.json("dead", "list")
        assert sorted(event["tenants"] for event in listed) == [["acme", "globex"], ["initech"]]
    assert len(metering.json("dead", "list", "--tenant", "globex")) == 1
    assert "No attempt to process it is known." in metering("dead", "explain", listed[0]["id"]).stdout
    shown = metering("dead", "show", listed[0]["id"])
    assert json.loads(shown.stdout)["detail-type"] == "ingestUsage"


def test_a_redriven_event_counts_once_and_remains_in_the_history(metering: Metering) -> None:
    tenant = f"tenant-{uuid.uuid4()}"
    _send_to_dead_letter_queue(metering.system, _usage(tenant))
    (event,) = metering.json("dead", "list")
    assert metering("dead", "redrive", "--tenant", "another").stdout == "0 redriven.\n"
    assert metering.json("dead", "redrive", event["id"]) == {"redriven": [event["id"]]}
    assert wait_until(lambda: sandbox_of(metering.system).totals("api-calls") == {tenant: 4})
    assert metering.json("dead", "list") == []
    (item,) = [item for item in metering.json("rejected", "list", "--all") if item["id"] == event["id"]]
    assert (item["status"], tenant in item["original"]) == ("redriven", True)


def test_a_dropped_event_is_not_counted_and_remains_in_the_history(metering: Metering) -> None:
    tenant = f"tenant-{uuid.uuid4()}"
    _send_to_dead_letter_queue(metering.system, _usage(tenant))
    _send_to_dead_letter_queue(metering.system, _usage("other"))
    done = metering("dead", "drop", "--tenant", tenant, "--why", "a test of ours", "--yes")
    assert done.returncode == 0
    assert [event["tenants"] for event in metering.json("dead", "list")] == [["other"]]
    (item,) = [item for item in metering.json("rejected", "list", "--all") if tenant in str(item["original"])]
    assert (item["status"], item["history"][-1]["note"]) == ("dropped", "a test of ours")
    done = metering("rejected", "redrive", item["id"])
    assert (done.returncode, "is an event" in done.stderr) == (1, True)


def test_no_event_is_dropped_without_an_answer(metering: Metering) -> None:
    _send_to_dead_letter_queue(metering.system, _usage(f"tenant-{uuid.uuid4()}"))
    done = metering("dead", "drop", "--all")
    text = " ".join(done.stderr.split())
    assert (done.returncode, "Drop 1 dead events? They are then not sent again." in text) == (2, True)
    done = metering("dead", "drop", "--all", "--json")
    assert (done.returncode, "--json requires --yes" in done.stderr) == (2, True)
    (event,) = metering.json("dead", "list")
    assert metering.json("dead", "drop", "--all", "--yes") == {"dropped": [event["id"]]}


def test_dropping_an_event_that_is_too_large_for_an_item_stores_its_beginning(metering: Metering) -> None:
    tenant = f"tenant-{uuid.uuid4()}"
    _send_to_dead_letter_queue(
        metering.system, {**_usage(tenant), "note": base64.b64encode(os.urandom(700_000)).decode()}
    )
    done = metering("dead", "drop", "--tenant", tenant, "--why", "a test of ours", "--yes")
    assert (done.returncode, metering.json("dead", "list")) == (0, [])
    items = RejectedTable(metering.system).list_items(ItemFilter(("dropped",)))
    (item,) = [item for item in items if tenant in str(item.original)]
    assert "characters; this is its beginning" in item.reason
    assert len(str(item.original)) < 400_000


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("redrive",), 2, "select events"),
        (("drop", "some-id", "--all"), 2, "select events"),
        (("drop", "--tenant", ""), 2, "--tenant is empty; set a value, or omit the option"),
        (("list", "--tenant", " "), 2, "--tenant is empty"),
        (("redrive", "no-such-id"), 1, "no dead event has the id no-such-id"),
        (("show", "no-such-id"), 1, "no dead event has the id no-such-id"),
    ],
)
def test_invalid_arguments_are_one_line(
    metering: Metering, arguments: tuple[str, ...], code: int, message: str
) -> None:
    done = metering("dead", *arguments)
    assert (done.returncode, done.stderr.count("\n")) == (code, 1), done.stderr
    assert message in done.stderr
