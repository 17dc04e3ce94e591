"""The report: sums of the parts, the differences that fit, and what still waits."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from amberflo_workflows.core.ledger.comparison import ComparedHour, HourOutcome
from amberflo_workflows.core.ledger.layout import HOUR_SECONDS
from amberflo_workflows.core.ledger.report import Report
from amberflo_workflows.core.response import MAX_INLINE_BYTES, json_size
from amberflo_workflows.local.emulator import Emulator
from amberflo_workflows.tasks import write_report
from tests.core.ledger.entries import START
from tests.core.test_waiting_usage import TABLE, running_queues, running_rejected_table
from tests.tasks.reconciliation.conftest import Ledger, build_execution

pytestmark = [pytest.mark.emulator, pytest.mark.usefixtures("ledger")]

REQUEST = {"startTimeInSeconds": START, "endTimeInSeconds": START + HOUR_SECONDS, "lagSeconds": 0, "lateUsage": True}


@pytest.fixture(autouse=True)
def places(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with running_rejected_table(emulator), running_queues(emulator) as (queue, dead_letters):
        for name, value in {
            "REJECTED_TABLE_NAME": TABLE,
            "USAGE_QUEUE_URL": queue,
            "USAGE_DEAD_LETTERS_URL": dead_letters,
        }.items():
            monkeypatch.setenv(name, value)
        yield


def _build_hours(outcome: HourOutcome, count: int, tenant: str = "t") -> list[ComparedHour]:
    return [ComparedHour("m", f"{tenant}{number:04}", START, 2, 1, outcome) for number in range(count)]


def _build_part(hours: list[ComparedHour], *meters: str) -> dict[str, Any]:
    outcomes = dict.fromkeys(("agreed", "missing", "unknown", "tooFresh"), 0)
    for hour in hours:
        outcomes[hour.outcome] += 1
    return {"outcomes": outcomes, "metersWithoutSum": list(meters)}


def _write(parts: list[Any], planned: int | None = None) -> Any:
    planned_parts = [{"start": number, "end": number} for number in range(len(parts) if planned is None else planned)]
    event = {"request": REQUEST, "planned": planned_parts, "parts": parts, "reconciliation": "r"}
    return write_report.handler({**event, "execution": build_execution()}, None)


def test_a_report_adds_up_its_parts(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    first = [*_build_hours("agreed", 3), *_build_hours("missing", 2, "x")]
    second = _build_hours("tooFresh", 1)
    for number, hours in enumerate((first, second)):
        Report(ledger.store, "r").write_hours(START + number, hours)
    response = _write([_build_part(first, "users"), _build_part(second, "peak", "users")])
    result = response["body"]["data"]
    assert (response["statusCode"], result["id"], result["executionArn"]) == (200, "r", "arn")
    assert result["outcomes"] == {"agreed": 3, "missing": 2, "unknown": 0, "tooFresh": 1}
    assert (result["hasDrift"], result["metersWithoutSum"]) == (True, ["peak", "users"])
    assert [hour["tenantId"] for hour in result["differences"]] == ["x0000", "x0001", "t0000"]
    assert result["differencesOmitted"] == 0
    assert result["waiting"] == {"rejected": 0, "queued": 0, "dead": 0}
    stored = ledger.store.s3.get_object(Bucket=ledger.store.bucket, Key="reconciliations/r/report.json")
    assert json.loads(stored["Body"].read()) == json.loads(json.dumps(result))
    assert '"UsageDrift": 2' in capsys.readouterr().out


def test_without_drift_there_is_no_value_of_the_metric(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    hours = [*_build_hours("agreed", 1), *_build_hours("tooFresh", 1)]
    Report(ledger.store, "r").write_hours(START, hours)
    assert _write([_build_part(hours)])["body"]["data"]["hasDrift"] is False
    assert "UsageDrift" not in capsys.readouterr().out


def test_a_range_without_usage_has_a_report() -> None:
    result = _write([_build_part([])])["body"]["data"]
    assert (sum(result["outcomes"].values()), result["differences"]) == (0, [])


@pytest.mark.parametrize(("count", "name"), [(3000, "t"), (3000, "\U0001f600" * 195), (3000, "\x01" * 195), (499, "t")])
def test_the_differences_fit_into_a_state(ledger: Ledger, count: int, name: str) -> None:
    hours = _build_hours("missing", count, name)
    Report(ledger.store, "r").write_hours(START, hours)
    response = _write([_build_part(hours)])
    result = response["body"]["data"]
    assert json_size(response) < MAX_INLINE_BYTES
    assert len(result["differences"]) + result["differencesOmitted"] == count
    assert len(result["differences"]) > 50


@pytest.mark.parametrize("parts", [[None], [{}], [{"Error": "States.Runtime"}], [{"statusCode": 400, "body": {}}], []])
def test_a_part_without_an_outcome_is_counted_and_there_is_no_report(ledger: Ledger, parts: list[Any]) -> None:
    assert _write([_build_part([]), *parts], planned=2) == {"failed": 1}
    assert list(ledger.store.iterate_objects("reconciliations/")) == []
