"""``replay_usage`` on the emulator: usage that Amberflo has lost comes back, and nothing else changes."""

import time
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest

from amberflo_workflows.core.ledger.comparison import HourOutcome
from amberflo_workflows.core.ledger.store import LedgerStore
from tests.conftest import sandbox_of
from tests.core.ledger.reports import build_hour, put_part
from tests.workflows.faults.cells import changed_environment
from tests.workflows.runner import Execution, Runner

pytestmark = [pytest.mark.emulator, pytest.mark.meters("api-calls", "storage")]

HOUR_SECONDS = 3600
HOUR = (int(time.time()) // HOUR_SECONDS - 6) * HOUR_SECONDS
RANGE = {"startTimeInSeconds": HOUR, "endTimeInSeconds": HOUR + HOUR_SECONDS}


def _usage(number: int, tenant: str = "acme", value: float = 2, **fields: Any) -> dict[str, Any]:
    usage = {"tenantId": tenant, "meterApiName": "api-calls", "meterValue": value, "uniqueId": f"u{number}"}
    return {**usage, "meterTimeInMillis": HOUR * 1000 + number, **fields}


def _count(runner: Runner, *usages: dict[str, Any]) -> None:
    reported = [
        {"eventId": f"e{index}", "eventTime": "", "index": 0, "usage": usage} for index, usage in enumerate(usages)
    ]
    data = runner.run("ingest_usage", {"usages": reported}).output["body"]["data"]
    assert (data["accepted"], data["rejected"]) == (len(usages), [])


def _replay(runner: Runner, **request: Any) -> Execution:
    return runner.run("replay_usage", request if "reconciliation" in request else {**RANGE, **request})


def _result(execution: Execution) -> dict[str, Any]:
    """The figures that are not zero."""
    assert execution.output["statusCode"] == 200
    return {name: value for name, value in execution.output["body"]["data"].items() if value}


def _totals(runner: Runner, meter: str = "api-calls") -> dict[str, float]:
    return sandbox_of(runner.system).totals(meter)


def _put_report(runner: Runner, outcomes: Iterable[tuple[HourOutcome, str]]) -> None:
    store = LedgerStore(runner.system.client("s3"), runner.system.outputs["LedgerBucketName"])
    hours = [build_hour(outcome, meter="api-calls", tenant=tenant) for outcome, tenant in outcomes]
    hours = [msgspec.structs.replace(hour, start_time_in_seconds=HOUR) for hour in hours]
    put_part(store, "r", f"differences-{HOUR}", hours)


def test_lost_usage_comes_back_and_counts_once(runner: Runner) -> None:
    usages = [_usage(1), _usage(2, value=0.1), _usage(3, region="é", dimensions={"meterApiName": "x"})]
    # Another tenant may have the same ids.
    _count(runner, *usages, _usage(1, "globex"), _usage(4, meterApiName="storage"))
    sandbox = sandbox_of(runner.system)
    assert sandbox.delete_records(customer_id="acme", unique_ids=["u1", "u2"]) == 2
    assert _totals(runner) == {"acme": 2, "globex": 2}
    assert _result(_replay(runner, dryRun=True)) == {"sent": 5, "slices": 1, "dryRun": True}
    assert _totals(runner) == {"acme": 2, "globex": 2}
    for _ in range(2):
        assert _result(_replay(runner)) == {"sent": 5, "slices": 1}
        assert (_totals(runner), _totals(runner, "storage")) == ({"acme": 4.1, "globex": 2}, {"acme": 2})


def test_cancelled_usage_stays_cancelled(runner: Runner) -> None:
    _count(runner, _usage(1), _usage(2), _usage(3, meterApiName="storage"))
    assert runner.run("cancel_usage", {"records": [_usage(1)]}).output["statusCode"] == 200
    now = int(time.time())
    window = {"startTimeInSeconds": now - 60, "endTimeInSeconds": now + 2}
    rule = {"id": "r", "meterApiName": "storage", "ingestionTimeRange": window, "allowFuture": True}
    assert runner.run("cancel_usage", rule).output["statusCode"] == 200
    # Without the records of which they cancel something, only the ledger knows of the cancellations.
    sandbox_of(runner.system).delete_records()
    time.sleep(max(0, now + 2.1 - time.time()))
    assert _result(_replay(runner)) == {"sent": 1, "cancelled": 2, "slices": 1}
    assert (_totals(runner), _totals(runner, "storage")) == ({"acme": 2}, {})


def test_the_latest_value_of_a_usage_counts_again(runner: Runner) -> None:
    for value in (9, 10, 8):
        _count(runner, _usage(1, value=value))
    sandbox_of(runner.system).delete_records()
    assert _result(_replay(runner)) == {"sent": 3, "slices": 1}
    assert _totals(runner) == {"acme": 8}


@pytest.mark.parametrize(
    ("request_members", "totals"),
    [
        ({"tenantId": "acme"}, ({"acme": 2}, {"acme": 2})),
        ({"meterApiName": "storage"}, ({}, {"acme": 2, "globex": 2})),
        ({"tenantId": "globex", "meterApiName": "api-calls"}, ({"globex": 2}, {})),
    ],
)
def test_a_replay_of_a_part_touches_nothing_else(
    runner: Runner, request_members: dict[str, str], totals: tuple[dict[str, float], dict[str, float]]
) -> None:
    tenants, meters = ("acme", "globex"), ("api-calls", "storage")
    _count(runner, *(_usage(1, tenant, meterApiName=meter) for tenant in tenants for meter in meters))
    sandbox_of(runner.system).delete_records()
    _replay(runner, **request_members)
    assert (_totals(runner), _totals(runner, "storage")) == totals


def test_only_the_missing_hours_of_a_report_are_replayed(runner: Runner) -> None:
    _count(runner, _usage(1), _usage(1, "globex"), _usage(1, "umbrella"))
    sandbox_of(runner.system).delete_records()
    _put_report(runner, [("missing", "acme"), ("unknown", "globex")])
    assert _result(_replay(runner, reconciliation="r", dryRun=True)) == {"sent": 1, "slices": 1, "dryRun": True}
    assert _result(_replay(runner, reconciliation="r")) == {"sent": 1, "slices": 1}
    assert _totals(runner) == {"acme": 2}


def test_a_report_without_missing_hours_replays_nothing(runner: Runner) -> None:
    _put_report(runner, [("unknown", "acme")])
    assert _result(_replay(runner, reconciliation="r")) == {}


def test_usage_that_amberflo_rejects_is_in_the_rejected_table(runner: Runner) -> None:
    sandbox = sandbox_of(runner.system)
    _count(runner, _usage(1), _usage(2))
    sandbox.delete_records()
    # The batch, and then one of its two records.
    sandbox.set_faults([{"kind": "status", "status": 400, "path": "/ingest", "times": 2}])
    assert _result(_replay(runner)) == {"sent": 1, "rejected": 1, "slices": 1}
    table = runner.system.client("dynamodb").scan(TableName=runner.system.outputs["RejectedTableName"])
    (item,) = table["Items"]
    assert (item["status"]["S"], item["tenantId"]["S"]) == ("rejected", "acme")


@pytest.mark.parametrize(
    ("request_members", "status", "field"),
    [
        ({"startTimeInSeconds": HOUR + HOUR_SECONDS}, 400, "startTimeInSeconds"),
        ({"endTimeInSeconds": HOUR + 24 * HOUR_SECONDS}, 400, "endTimeInSeconds"),
        ({"tenantId": ""}, 400, "tenantId"),
        ({"reconciliation": "../r"}, 400, "reconciliation"),
        ({"reconciliation": "r"}, 404, None),
    ],
)
def test_an_invalid_request_is_a_response(
    runner: Runner, request_members: dict[str, Any], status: int, field: str | None
) -> None:
    execution = _replay(runner, **request_members)
    details = execution.output["body"].get("details", [{"field": None}])
    assert (execution.output["statusCode"], details[0]["field"]) == (status, field)
    assert execution.states == ["PlanReplay", "IsReplayInvalid", "ReturnBadRequest"]


def test_a_slice_that_fails_does_not_stop_the_others(runner: Runner) -> None:
    _count(runner, _usage(1))
    sandbox_of(runner.system).delete_records()
    with changed_environment(runner.system, "SendUsagesAgain", LEDGER_BUCKET_NAME="no-such-bucket"):
        execution = _replay(runner)
    assert (execution.status, execution.error) == ("FAILED", "ReplayIncomplete")
    assert "Start the replay again" in execution.cause
    assert _result(_replay(runner)) == {"sent": 1, "slices": 1}
    assert _totals(runner) == {"acme": 2}
