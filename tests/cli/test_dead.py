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
from amberflo_workflows.operate.rejected.items import ItemFilter
from amberflo_workflows.operate.rejected.table import RejectedTable
from tests.cli.metering import Metering
from tests.conftest import sandbox_of
from tests.polling import soon

pytestmark = pytest.mark.emulator


@pytest.fixture
def metering(system: System, tmp_path: Path) -> Iterator[Metering]:
    _empty(system)
    yield Metering(system, tmp_path)
    _empty(system)


def _empty(system: System) -> None:
    for queue in ("UsageDeadLetterQueueUrl", "TenantDeadLetterQueueUrl"):
        system.client("sqs").purge_queue(QueueUrl=system.outputs[queue])


def _die(system: System, detail: Any) -> None:
    """An event in the dead-letter queue, as SQS moves it there."""
    event = {
        "id": str(uuid.uuid4()),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "detail-type": "ingestUsage",
        "detail": detail,
    }
    system.client("sqs").send_message(QueueUrl=system.outputs["UsageDeadLetterQueueUrl"], MessageBody=json.dumps(event))


def _usage(tenant: str) -> dict[str, Any]:
    return {"tenantId": tenant, "meterApiName": "api-calls", "meterValue": 4}


def test_dead_events_are_listed_as_often_as_one_looks(metering: Metering) -> None:
    _die(metering.system, {"records": [_usage("acme"), _usage("globex"), "junk"]})
    _die(metering.system, _usage("initech"))
    for _ in range(2):
        listed = metering.json("dead", "list")
        assert sorted(event["tenants"] for event in listed) == [["acme", "globex"], ["initech"]]
    assert len(metering.json("dead", "list", "--tenant", "globex")) == 1
    shown = metering("dead", "show", listed[0]["id"])
    assert json.loads(shown.stdout)["detail-type"] == "ingestUsage"


def test_an_event_that_is_sent_again_is_counted_once_and_kept_in_the_history(metering: Metering) -> None:
    tenant = f"tenant-{uuid.uuid4()}"
    _die(metering.system, _usage(tenant))
    (event,) = metering.json("dead", "list")
    done = metering("dead", "redrive", event["id"])
    assert (done.returncode, "1 redriven." in done.stdout) == (0, True)
    assert soon(lambda: sandbox_of(metering.system).totals("api-calls") == {tenant: 4})
    assert metering.json("dead", "list") == []
    (kept,) = [item for item in metering.json("rejected", "list", "--all") if item["id"] == event["id"]]
    assert (kept["status"], tenant in kept["original"]) == ("redriven", True)


def test_an_event_that_is_given_up_is_not_counted_and_kept_in_the_history(metering: Metering) -> None:
    tenant = f"tenant-{uuid.uuid4()}"
    _die(metering.system, _usage(tenant))
    _die(metering.system, _usage("other"))
    done = metering("dead", "drop", "--tenant", tenant, "--why", "a test of ours")
    assert done.returncode == 0
    assert [event["tenants"] for event in metering.json("dead", "list")] == [["other"]]
    (kept,) = [item for item in metering.json("rejected", "list", "--all") if tenant in str(item["original"])]
    assert (kept["status"], kept["history"][-1]["note"]) == ("dropped", "a test of ours")
    refused = metering("rejected", "redrive", kept["id"])
    assert (refused.returncode, "is an event" in refused.stderr) == (1, True)


def test_an_event_that_no_item_can_hold_is_given_up_too_and_its_beginning_kept(metering: Metering) -> None:
    tenant = f"tenant-{uuid.uuid4()}"
    _die(metering.system, {**_usage(tenant), "note": base64.b64encode(os.urandom(700_000)).decode()})
    done = metering("dead", "drop", "--tenant", tenant, "--why", "a test of ours")
    assert (done.returncode, metering.json("dead", "list")) == (0, [])
    kept = RejectedTable(metering.system).find(ItemFilter(("dropped",)))
    (item,) = [item for item in kept if tenant in str(item.original)]
    assert "characters; this is its beginning" in item.reason
    assert len(str(item.original)) < 400_000


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("redrive",), 2, "select events"),
        (("drop", "some-id", "--all"), 2, "select events"),
        (("redrive", "no-such-id"), 1, "no dead event has the id no-such-id"),
        (("show", "no-such-id"), 1, "no dead event has the id no-such-id"),
    ],
)
def test_wrong_use_is_one_line(metering: Metering, arguments: tuple[str, ...], code: int, message: str) -> None:
    done = metering("dead", *arguments)
    assert (done.returncode, done.stderr.count("\n")) == (code, 1), done.stderr
    assert message in done.stderr
