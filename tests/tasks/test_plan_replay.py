import json
import time
from typing import Any

import pytest

from amberflo_workflows.core.ledger.errors import LedgerUnavailable
from amberflo_workflows.core.ledger.store import LedgerStore
from amberflo_workflows.tasks import plan_replay
from amberflo_workflows.tasks.plan_replay import handler
from tests.core.ledger.conftest import store as store  # noqa: PLC0414 - a fixture
from tests.core.ledger.entries import START
from tests.core.ledger.reports import build_hour, put_part

HOUR, DAY = 3600, 86_400
MAX_STATE_BYTES = 262_144


def _plan(**request: Any) -> Any:
    return handler({"request": request, "execution": {"name": "n"}}, None)


def test_a_range_is_split_at_the_starts_of_days() -> None:
    start, midnight = DAY + 15 * HOUR, DAY
    plan = _plan(startTimeInSeconds=start, endTimeInSeconds=start + 2 * DAY, tenantId="acme")
    assert plan == {
        "request": {"meterApiName": None, "tenantId": "acme", "reconciliation": None, "dryRun": False},
        "slices": [
            {"start": start, "end": midnight + DAY},
            {"start": midnight + DAY, "end": midnight + 2 * DAY},
            {"start": midnight + 2 * DAY, "end": start + 2 * DAY},
        ],
    }


@pytest.mark.parametrize(("start", "end", "count"), [(0, DAY, 1), (0, 1, 1), (DAY - 1, DAY + 1, 2), (1, 61 * DAY, 61)])
def test_slices_cover_the_range_once(start: int, end: int, count: int) -> None:
    slices = _plan(startTimeInSeconds=start, endTimeInSeconds=end)["slices"]
    seconds = [(part["start"], part["end"]) for part in slices]
    assert len(seconds) == count
    assert [seconds[0][0], *(after for _, after in seconds)] == [before for before, _ in seconds] + [end]
    assert all(before < after for before, after in seconds)


def test_an_invalid_request_is_returned_to_the_caller() -> None:
    response = _plan(startTimeInSeconds=int(time.time()) - 5)
    assert (response["statusCode"], response["body"]["details"][0]["field"]) == (400, "endTimeInSeconds")


@pytest.fixture
def ledger(store: LedgerStore, monkeypatch: pytest.MonkeyPatch) -> LedgerStore:
    monkeypatch.setattr(plan_replay, "own_ledger", lambda: store)
    return store


@pytest.mark.emulator
def test_a_report_has_a_slice_for_each_day_with_missing_hours(ledger: LedgerStore) -> None:
    hours = [build_hour("missing", hour, tenant=f"t{hour}") for hour in (0, 5, 5, 8, 9, 40, 100)]
    put_part(ledger, "r", "differences-1", [*hours, build_hour("unknown", 60)])
    assert _plan(reconciliation="r", dryRun=True) == {
        "request": {"meterApiName": None, "tenantId": None, "reconciliation": "r", "dryRun": True},
        "slices": [
            {"start": START, "end": START + 9 * HOUR},
            {"start": START + 9 * HOUR, "end": START + 10 * HOUR},
            {"start": START + 40 * HOUR, "end": START + 41 * HOUR},
            {"start": START + 100 * HOUR, "end": START + 101 * HOUR},
        ],
    }


@pytest.mark.emulator
def test_a_plan_of_many_missing_hours_fits_into_a_state(ledger: LedgerStore) -> None:
    hours = [build_hour("missing", hour, tenant=f"{'x' * 190}{n}") for hour in range(62 * 24) for n in range(10)]
    put_part(ledger, "r", "differences-1", hours)
    plan = _plan(reconciliation="r")
    assert len(plan["slices"]) == 63
    assert len(json.dumps(plan)) < MAX_STATE_BYTES / 10


@pytest.mark.emulator
def test_a_report_without_missing_hours_has_no_slice(ledger: LedgerStore) -> None:
    put_part(ledger, "r", "differences-1", [build_hour("unknown")])
    assert _plan(reconciliation="r")["slices"] == []


@pytest.mark.emulator
@pytest.mark.usefixtures("ledger")
def test_an_unknown_reconciliation_is_not_found() -> None:
    response = _plan(reconciliation="r")
    message = "There is no report of a reconciliation 'r'."
    assert response == {"statusCode": 404, "body": {"statusCode": 404, "message": message}}


@pytest.mark.emulator
def test_a_ledger_that_cannot_be_read_is_an_error(store: LedgerStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_replay, "own_ledger", lambda: LedgerStore(store.s3, "no-such-bucket"))
    with pytest.raises(LedgerUnavailable, match=r"ListObjectsV2 failed \(NoSuchBucket\)"):
        _plan(reconciliation="r")
