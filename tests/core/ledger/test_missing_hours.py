import pytest

from amberflo_workflows.core.ledger.missing_hours import read_missing_hours
from amberflo_workflows.core.ledger.receipt import UnreadableObject
from amberflo_workflows.core.ledger.report import NoReport
from amberflo_workflows.core.ledger.store import LedgerStore
from amberflo_workflows.core.ledger.totals import Hour
from tests.core.ledger.entries import START
from tests.core.ledger.reports import build_hour, put_part

pytestmark = pytest.mark.emulator


def test_only_the_missing_hours_of_the_report_are_read(store: LedgerStore) -> None:
    put_part(store, "r", "differences-1", [build_hour("missing"), build_hour("unknown", 1), build_hour("tooFresh", 2)])
    put_part(store, "r", "differences-2", [build_hour("missing", 3, tenant="é"), build_hour("missing", 3, meter="n")])
    put_part(store, "r", "hours-1", [build_hour("missing", 4)])
    put_part(store, "r2", "differences-1", [build_hour("missing", 5)])
    assert list(read_missing_hours(store, "r")) == [
        Hour("m", "t", START),
        Hour("m", "é", START + 3 * 3600),
        Hour("n", "t", START + 3 * 3600),
    ]


def test_a_report_without_differences_has_no_missing_hour(store: LedgerStore) -> None:
    put_part(store, "r", "hours-1", [build_hour("agreed")])
    put_part(store, "r", "differences-1", [])
    assert list(read_missing_hours(store, "r")) == []


def test_no_report_is_an_error(store: LedgerStore) -> None:
    put_part(store, "r2", "differences-1", [build_hour("missing")])
    with pytest.raises(NoReport, match="'r'"):
        list(read_missing_hours(store, "r"))


@pytest.mark.parametrize("content", [b"{}", b"\x1f\x8b", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\x00"])
def test_a_damaged_report_is_named(store: LedgerStore, content: bytes) -> None:
    key = put_part(store, "r", "differences-1", [])
    store.s3.put_object(Bucket=store.bucket, Key=key, Body=content)
    with pytest.raises(UnreadableObject, match=key):
        list(read_missing_hours(store, "r"))
