import json
import time
import uuid
from typing import Any

import msgspec
import pytest

from amberflo_workflows.core.chunks import extract_usages
from amberflo_workflows.core.rejected_item import STATUSES, RejectedItem
from amberflo_workflows.local.system import System
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.ledger.reader import open_ledger
from amberflo_workflows.operate.ledger.usage_trace import trace_usage
from amberflo_workflows.operate.rejected.item_filter import ItemFilter
from amberflo_workflows.operate.rejected.redrive import redrive
from amberflo_workflows.operate.rejected.table import ItemChanged, RejectedTable
from amberflo_workflows.sandbox.client import SandboxClient
from tests.conftest import sandbox_of
from tests.workflows.runner import Execution, Runner

pytestmark = [pytest.mark.emulator, pytest.mark.meters("api-calls", "other")]

METER = "api-calls"


@pytest.fixture
def tenant() -> str:
    """A tenant of its own for each test, because the table keeps the items of other tests."""
    return f"tenant-{uuid.uuid4()}"


@pytest.fixture
def table(system: System) -> RejectedTable:
    return RejectedTable(system)


def _usage(tenant: str, **fields: Any) -> dict[str, Any]:
    return {"tenantId": tenant, "meterApiName": METER, "meterValue": "five", **fields}


def _report(table: RejectedTable, *usages: Any) -> Execution:
    event_time = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 60))
    reported = extract_usages({"records": list(usages)}, event_id=str(uuid.uuid4()), event_time=event_time)
    system: Any = table.deployment
    return Runner(system, endpoint=None).run("ingest_usage", {"usages": msgspec.to_builtins(reported)})


def _report_rejected(table: RejectedTable, *usages: Any) -> list[RejectedItem]:
    """Report usages that are rejected, as one event; return their items."""
    execution = _report(table, *usages)
    assert len(execution.output["body"]["data"]["rejected"]) == len(usages)
    return [item for item in table.list_items(ItemFilter()) if item.execution_arn == execution.arn]


def _sandbox(table: RejectedTable) -> SandboxClient:
    system: Any = table.deployment
    return sandbox_of(system)


def _total(table: RejectedTable, tenant: str) -> float:
    return _sandbox(table).totals(METER).get(tenant, 0)


def test_items_are_filtered_by_tenant_meter_reason_and_status(table: RejectedTable, tenant: str) -> None:
    _report_rejected(table, _usage(tenant), _usage(tenant, meterApiName="other"), _usage(tenant, meterValue=None))
    assert len(table.list_items(ItemFilter(tenant=tenant))) == 3
    assert len(table.list_items(ItemFilter(tenant=tenant, meter="other"))) == 1
    (item,) = table.list_items(ItemFilter(tenant=tenant, reason="IS MISSING"))
    assert (item.status, item.reason, item.history) == ("rejected", "meterValue is missing", [])
    assert table.list_items(ItemFilter(tenant=tenant, statuses=("dropped",))) == []


def test_fixed_usage_is_counted_once_with_its_own_identity(table: RejectedTable, tenant: str) -> None:
    (item,) = _report_rejected(table, _usage(tenant))
    fixed = table.edit(item, _usage(tenant, meterValue=5))
    for _ in range(2):
        (result,) = redrive(table.deployment, [fixed])
        assert result.counted
        # As if the response had been lost before it was saved.
        fixed = _set_status(table, result.item, "redriving")
    assert _total(table, tenant) == 5
    assert [step["what"] for step in fixed.history] == ["edited", "sent", "counted", "sent", "counted"]
    assert item.original["eventId"] == fixed.original["eventId"]


def test_usage_without_an_identity_of_its_own_has_that_of_its_event(table: RejectedTable, tenant: str) -> None:
    (item,) = _report_rejected(table, _usage(tenant))
    (result,) = redrive(table.deployment, [table.edit(item, _usage(tenant, meterValue=5))])
    assert result.counted
    ledger = open_ledger(table.deployment)
    now = int(time.time())
    entries = ledger.read_receipts(ledger.list_receipts(now - 3600, now))
    traced = trace_usage(entries, item.original["eventId"])
    assert [line.entry.outcome for line in traced] == ["rejected", "counted"]


def test_counted_and_dropped_items_stay_listed_and_cannot_be_redriven(table: RejectedTable, tenant: str) -> None:
    counted, dropped = _report_rejected(table, _usage(tenant), _usage(tenant))
    (result,) = redrive(table.deployment, [table.edit(counted, _usage(tenant, meterValue=5))])
    dropped_item = table.drop(dropped, "a test of ours")
    assert table.list_items(ItemFilter(tenant=tenant)) == []
    listed = {item.id: item for item in table.list_items(ItemFilter(STATUSES, tenant=tenant))}
    assert {item.status for item in listed.values()} == {"redriven", "dropped"}
    assert listed[dropped.id].history[-1]["note"] == "a test of ours"
    assert listed[counted.id].history[-1]["execution"]
    for item in (result.item, dropped_item):
        with pytest.raises(OperatorError, match="only rejected or redriving usage can be redriven"):
            list(redrive(table.deployment, [item]))
    assert _total(table, tenant) == 5


def test_usage_that_is_rejected_again_has_the_new_reason(table: RejectedTable, tenant: str) -> None:
    (item,) = _report_rejected(table, _usage(tenant))
    (result,) = redrive(table.deployment, [table.edit(item, _usage(tenant, meterValue=5, meterApiName=""))])
    assert not result.counted
    (rejected,) = table.list_items(ItemFilter(tenant=tenant))
    assert (rejected.id, rejected.status, rejected.reason) == (item.id, "rejected", "meterApiName is empty")
    assert json.loads(rejected.history[0]["before"]) == _usage(tenant)


def test_many_items_are_redriven_in_one_request(table: RejectedTable, tenant: str) -> None:
    items = _report_rejected(table, *(_usage(tenant, uniqueId="the-same", n=number) for number in range(100)))
    fixed = [
        table.edit(item, {**item.original["usage"], "meterValue": "no" if number % 10 == 0 else 1})
        for number, item in enumerate(items)
    ]
    _sandbox(table).clear_requests()
    results = list(redrive(table.deployment, fixed))
    rejected = {result.item.id for result in results if not result.counted}
    assert rejected == {item.id for number, item in enumerate(items) if number % 10 == 0}
    assert _total(table, tenant) == 90
    # On a busy machine an attempt may time out, and its repetition counts again.
    assert 1 <= _sandbox(table).count_calls("/ingest") < 5


def test_usage_that_may_have_been_counted_can_only_be_redriven_unchanged(table: RejectedTable, tenant: str) -> None:
    (item,) = _report_rejected(table, _usage(tenant))
    fixed = table.edit(item, _usage(tenant, meterValue=5))
    sandbox = _sandbox(table)
    sandbox.set_faults([{"kind": "accept_then_drop", "path": "/ingest"}])
    with pytest.raises(OperatorError, match="redrive again"):
        list(redrive(table.deployment, [fixed]))
    sandbox.clear_faults()
    (redriving,) = table.list_items(ItemFilter(tenant=tenant))
    assert redriving.status == "redriving"
    with pytest.raises(OperatorError, match="only rejected usage can be edited"):
        table.edit(redriving, _usage(tenant, meterValue=6))
    with pytest.raises(OperatorError, match="only rejected usage can be dropped"):
        table.drop(redriving, "")
    (result,) = redrive(table.deployment, [redriving])
    assert result.counted
    assert _total(table, tenant) == 5


def test_concurrent_changes_of_an_item_are_rejected(table: RejectedTable, tenant: str) -> None:
    (item,) = _report_rejected(table, _usage(tenant))
    table.edit(item, _usage(tenant, meterValue=5))
    with pytest.raises(ItemChanged):
        table.edit(item, _usage(tenant, meterValue=6))
    with pytest.raises(ItemChanged):
        table.drop(item, "")
    with pytest.raises(ItemChanged):
        list(redrive(table.deployment, [item]))
    assert _total(table, tenant) == 0


def test_a_change_by_someone_else_right_after_a_claim_is_noticed(table: RejectedTable, tenant: str) -> None:
    """The two meet between a write and whatever request follows it. The model in docs/model has this case."""
    (item,) = _report_rejected(table, _usage(tenant))
    system: Any = table.deployment
    events = system.client("dynamodb").meta.events
    others: list[RejectedItem] = []

    def change_as_someone_else(**_: Any) -> None:
        events.unregister("after-call.dynamodb.UpdateItem", change_as_someone_else)
        (redriving,) = table.get([item.id])
        rejected = table.mark_rejected(table.claim(redriving), "it was turned down", "arn")
        others.append(table.claim(table.edit(rejected, _usage(tenant, meterValue=5))))

    events.register("after-call.dynamodb.UpdateItem", change_as_someone_else)
    claimed = table.claim(item)
    # Otherwise the fixed usage, which the other person has sent, could be edited and counted a second time.
    with pytest.raises(ItemChanged):
        table.mark_rejected(claimed, "it was turned down", "arn")
    assert list(table.get([item.id])) == others


def test_a_redelivery_of_the_event_does_not_reset_the_item(table: RejectedTable, tenant: str) -> None:
    usage = _usage(tenant, uniqueId="mine", meterTimeInMillis=int(time.time() * 1000))
    (item,) = _report_rejected(table, usage)
    table.drop(item, "")
    assert _report_rejected(table, usage) == []
    assert table.list_items(ItemFilter(tenant=tenant)) == []


@pytest.fixture
def counted_and_rejected(table: RejectedTable, tenant: str) -> RejectedItem:
    """An item whose usage was counted by a second delivery, after its meter was created: a limit of the design."""
    own = {"uniqueId": str(uuid.uuid4()), "meterTimeInMillis": int(time.time() * 1000)}
    # A process knows a meter for a minute, so each test has its own.
    usage = _usage(tenant, meterApiName=f"meter-{uuid.uuid4()}", meterValue=5, **own)
    (item,) = _report_rejected(table, usage)
    _sandbox(table).create_meters(item.meter_api_name)
    assert _report(table, usage).output["body"]["data"]["uniqueIds"] == [usage["uniqueId"]]
    assert _sandbox(table).totals(item.meter_api_name) == {tenant: 5}
    return next(table.get([item.id]))


def test_usage_that_was_counted_after_all_counts_once_if_it_is_redriven_unchanged(
    table: RejectedTable, tenant: str, counted_and_rejected: RejectedItem
) -> None:
    assert counted_and_rejected.status == "rejected"
    (result,) = redrive(table.deployment, [counted_and_rejected])
    assert result.counted
    assert _sandbox(table).totals(counted_and_rejected.meter_api_name) == {tenant: 5}


def test_usage_that_was_counted_after_all_counts_once_if_it_is_cancelled_before_an_edit(
    table: RejectedTable, tenant: str, counted_and_rejected: RejectedItem
) -> None:
    system: Any = table.deployment
    usage = counted_and_rejected.original["usage"]
    Runner(system, endpoint=None).run("cancel_usage", {"records": [usage]})
    edited = table.edit(counted_and_rejected, {**usage, "meterValue": 6, "uniqueId": str(uuid.uuid4())})
    (result,) = redrive(table.deployment, [edited])
    assert result.counted
    assert _sandbox(table).totals(counted_and_rejected.meter_api_name) == {tenant: 6}


def _set_status(table: RejectedTable, item: RejectedItem, status: str) -> RejectedItem:
    system: Any = table.deployment
    system.client("dynamodb").update_item(
        TableName=system.outputs["RejectedTableName"],
        Key={"id": {"S": item.id}},
        UpdateExpression="SET #status = :status",
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={":status": {"S": status}},
    )
    return next(table.get([item.id]))
