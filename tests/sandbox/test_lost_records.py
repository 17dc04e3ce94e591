"""Records that Amberflo loses, and those that another client sends."""

from pathlib import Path
from typing import Any

import pytest

from amberflo_workflows.sandbox.ingest import CANCEL_DIMENSION
from amberflo_workflows.sandbox.testing import running_sandbox
from tests.sandbox.conftest import KEY, Amberflo, record


def test_added_records_count_and_no_call_does(amberflo: Amberflo) -> None:
    amberflo.sandbox.clear_requests()
    amberflo.sandbox.add_records(record(), record(uniqueId="v", meterValue=4))
    assert (amberflo.total(), amberflo.sandbox.requests()["total"]) == (5, 0)


def test_an_added_record_is_checked_like_any_other(amberflo: Amberflo) -> None:
    with pytest.raises(ValueError, match="meterValue"):
        amberflo.sandbox.add_records(record(meterValue="5"))


def test_every_distinct_record_is_listed_and_no_call_is_counted(amberflo: Amberflo) -> None:
    dimensions = {"region": "eu", CANCEL_DIMENSION: "true"}
    records = [record(), record(uniqueId="v", meterValue=2.5), record(dimensions=dimensions), record(dimensions={})]
    amberflo.ingest(*records, *records)
    amberflo.sandbox.clear_requests()
    assert amberflo.sandbox.records() == records
    assert amberflo.sandbox.requests()["total"] == 0
    amberflo.sandbox.delete_records()
    assert amberflo.sandbox.records() == []
    amberflo.sandbox.add_records(*records)
    assert amberflo.sandbox.records() == records


@pytest.mark.parametrize(
    ("selection", "total"),
    [
        ({}, 0),
        ({"customer_id": "acme"}, 8),
        ({"unique_ids": ["u", "w"]}, 2),
        ({"customer_id": "acme", "unique_ids": ["u"]}, 14),
        ({"unique_ids": []}, 15),
        ({"meter_api_name": "other"}, 15),
    ],
)
def test_deleted_records_do_not_count(amberflo: Amberflo, selection: dict[str, Any], total: float) -> None:
    amberflo.ingest(
        record(meterValue=1),
        record(uniqueId="v", meterValue=2),
        record(uniqueId="w", meterValue=4),
        record(customerId="globex", meterValue=8),
    )
    amberflo.ingest(record(meterApiName="other"))
    amberflo.sandbox.delete_records(**selection)
    assert amberflo.total() == total


def test_a_deleted_record_counts_once_it_is_sent_again(amberflo: Amberflo) -> None:
    amberflo.ingest(record(), record())
    assert (amberflo.sandbox.delete_records(), amberflo.total()) == (2, 0)
    amberflo.ingest(record())
    assert amberflo.total() == 1


def test_a_record_stays_deleted_after_a_restart(tmp_path: Path) -> None:
    data = tmp_path / "sandbox.duckdb"
    with running_sandbox(KEY, data) as sandbox:
        Amberflo(sandbox).ingest(record(), record(uniqueId="v"))
        sandbox.delete_records(unique_ids=["u"])
    with running_sandbox(KEY, data) as sandbox:
        assert Amberflo(sandbox).total() == 1
