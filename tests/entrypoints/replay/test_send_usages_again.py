"""The step that sends usage of the ledger again, with a stand-in for ``ingest_usage``."""

import itertools
import json
import threading
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from amberflo_workflows.core.aws_call import AwsError
from amberflo_workflows.core.ledger.errors import LedgerUnavailable
from amberflo_workflows.core.ledger.receipt import RECEIPTS_PREFIX, LedgerEntry, encode_receipt
from amberflo_workflows.core.ledger.replay import RecordNotRebuilt, ReplaySlice
from amberflo_workflows.core.ledger.store import LedgerStore
from amberflo_workflows.core.usage_record import MAX_AGE_MILLIS, build_record
from amberflo_workflows.entrypoints import oversized, workflows
from amberflo_workflows.entrypoints.replay import send_usages_again
from amberflo_workflows.entrypoints.replay.send_usages_again import MARGIN_MILLIS, Selection, SliceReplay
from amberflo_workflows.entrypoints.sending import ChunkNotSent
from amberflo_workflows.entrypoints.workflows import WorkflowResult
from tests.core.ledger.conftest import store as store  # noqa: PLC0414 - a fixture
from tests.core.ledger.entries import START, build_entry, build_rule
from tests.core.ledger.entries import build_record as build_plain_record
from tests.core.ledger.reports import build_hour, put_part

pytestmark = pytest.mark.emulator

Send = Callable[..., dict[str, Any]]


class Ingest:
    """A stand-in for ``ingest_usage``: the records that it was sent, and the ids of those that it rejects."""

    def __init__(self) -> None:
        self.records: list[bytes] = []
        self.origins: list[tuple[str, int]] = []
        self.rejected: set[str] = set()
        self.error: Exception | None = None
        self._lock = threading.Lock()

    def run(self, machine: str, request: dict[str, Any], _start: Any, *, repeatable: bool) -> WorkflowResult:
        assert (machine, repeatable) == ("ingest", True)
        if self.error:
            raise self.error
        rejected = []
        with self._lock:
            for usage in request["usages"]:
                record = build_record(usage.usage, event_id=usage.event_id, event_time=usage.event_time)
                if record.unique_id in self.rejected:
                    rejected.append({"index": usage.index, "uniqueId": record.unique_id, "reason": "no"})
                    continue
                self.records.append(msgspec.json.encode(record))
                self.origins.append((usage.event_id, usage.index))
        data = {"accepted": len(request["usages"]) - len(rejected), "rejected": rejected}
        return WorkflowResult("arn", {"statusCode": 200, "body": {"data": data}})

    @property
    def ids(self) -> list[str]:
        return [json.loads(record)["uniqueId"] for record in self.records]


@pytest.fixture
def ingest(monkeypatch: pytest.MonkeyPatch) -> Ingest:
    ingest = Ingest()
    monkeypatch.setattr(workflows, "run_workflow", ingest.run)
    monkeypatch.setattr(oversized, "dynamodb_client", lambda: None)
    monkeypatch.setenv("INGEST_USAGE_STATE_MACHINE_ARN", "ingest")
    monkeypatch.setenv("REJECTED_TABLE_NAME", "table")
    return ingest


def _select(**request: Any) -> Selection:
    members = {"meterApiName": None, "tenantId": None, "reconciliation": None, "dryRun": False, **request}
    return msgspec.convert(members, Selection)


def _send(store: LedgerStore, start: int = START, now: int = START + 86_400, **request: Any) -> dict[str, Any]:
    """Send the usage of the hour of ``START``, and return the slice."""
    # A second passes each time that it is asked.
    clock = itertools.count().__next__
    replay = SliceReplay(_select(**request), ReplaySlice(start, START + 3600), store, now, clock=clock)
    replay.run()
    outcome: dict[str, Any] = msgspec.to_builtins(replay.slice)
    return outcome


def _put(store: LedgerStore, *entries: LedgerEntry, name: str = "a") -> None:
    plain = [msgspec.structs.replace(entry, receipt="") for entry in entries]
    key = f"{RECEIPTS_PREFIX}date=2026-11-27/hour=15/{name}.ndjson.gz"
    store.s3.put_object(Bucket=store.bucket, Key=key, Body=encode_receipt(plain))


def _count(second: int, *records: Any, **members: Any) -> list[LedgerEntry]:
    return [build_entry("counted", second, record, **members) for record in records]


def _outcome(**counts: int) -> dict[str, Any]:
    zeros = dict.fromkeys(["sent", "rejected", "cancelled", "tooOld", "notRebuilt"], 0)
    return {"start": START + 3600, "end": START + 3600, **zeros, **counts, "isSent": True}


def test_the_records_of_the_ledger_are_sent_byte_for_byte(store: LedgerStore, ingest: Ingest) -> None:
    records = [build_plain_record(number, number, value) for number, value in enumerate([2, 0.1, 1e22, 2**62])]
    records.append(build_plain_record(7, tenant="Café"))
    records[0].dimensions = {"meterApiName": "x", "tenantId": "é", "uniqueId": "y"}
    _put(store, *_count(1, *records, event_id="event", index=3), *_count(9, *records, event_id="later"))
    assert _send(store) == _outcome(sent=5)
    assert sorted(ingest.records) == sorted(map(msgspec.json.encode, records))
    assert set(ingest.origins) == {("event", 3)}


def test_a_dry_run_sends_nothing(store: LedgerStore, ingest: Ingest) -> None:
    cancelled, versions = build_plain_record(0), [build_plain_record(1, value=value) for value in (1, 2)]
    _put(store, *_count(1, cancelled, *versions), build_entry("cancelled", 9, cancelled))
    assert _send(store, dryRun=True) == _outcome(sent=2, cancelled=1)
    assert ingest.records == []


def test_cancelled_usage_is_not_sent(store: LedgerStore, ingest: Ingest) -> None:
    records = [build_plain_record(number, number) for number in range(4)]
    _put(
        store,
        *_count(1, records[0], records[1]),
        *_count(30, records[2], records[3]),
        build_entry("cancelled", 60, records[0]),
        build_entry("rule", 60, build_rule("r", 20, 40)),
        # Counted again by an earlier replay, after the rule's range: Amberflo has it since it was first ingested.
        *_count(90, records[2]),
    )
    assert _send(store) == _outcome(sent=1, cancelled=3)
    assert ingest.ids == ["u1"]


def test_usage_that_amberflo_does_not_accept_any_more_is_not_sent(store: LedgerStore, ingest: Ingest) -> None:
    _put(store, *_count(1, *(build_plain_record(number, number) for number in (0, 99, 100, 101))))
    assert _send(store, now=START + 100 + (MAX_AGE_MILLIS - MARGIN_MILLIS) // 1000) == _outcome(sent=2, tooOld=2)
    assert sorted(ingest.ids) == ["u100", "u101"]


@pytest.mark.parametrize(
    ("request_members", "ids"),
    [
        ({"tenantId": "t"}, ["u1", "u3"]),
        ({"meterApiName": "m"}, ["u1", "u1"]),
        ({"tenantId": "other", "meterApiName": "m"}, ["u1"]),
        ({"tenantId": "T"}, []),
        ({"reconciliation": "r"}, ["u1"]),
    ],
)
def test_only_what_the_request_selects_is_sent(
    store: LedgerStore, ingest: Ingest, request_members: dict[str, Any], ids: list[str]
) -> None:
    cancelled = build_plain_record(9, meter="n", tenant="other")
    records = [
        build_plain_record(1),
        build_plain_record(1, tenant="other"),
        build_plain_record(3, meter="n"),
        cancelled,
        # In the range, and in no missing hour.
        build_plain_record(4, 3600, meter="o", tenant="o"),
    ]
    put_part(store, "r", "differences-1", [build_hour("missing", tenant="other"), build_hour("unknown")])
    _put(store, *_count(1, *records), build_entry("cancelled", 2, cancelled))
    outcome = _send(store, **request_members)
    assert (sorted(ingest.ids), outcome["sent"], outcome["cancelled"]) == (ids, len(ids), 0)


def test_rejected_usage_is_counted_also_if_events_have_the_same_index(store: LedgerStore, ingest: Ingest) -> None:
    ingest.rejected = {"u0", "u2"}
    _put(store, *_count(1, *(build_plain_record(number) for number in range(3)), index=7))
    assert _send(store) == _outcome(sent=1, rejected=2)


def test_the_value_that_counts_is_sent_after_the_others_are(store: LedgerStore, ingest: Ingest) -> None:
    # More than a chunk of other usage, so that chunks run in parallel.
    first, last = build_plain_record(0, value=9), build_plain_record(0, value=10)
    others = [build_plain_record(number, number % 9) for number in range(1, 700)]
    _put(store, *_count(20, last), *_count(10, first, *others))
    assert _send(store) == _outcome(sent=701)
    assert ingest.records[-1] == msgspec.json.encode(last)


@pytest.mark.parametrize(
    ("seconds", "starts"), [(0, [1, 2, 3, 4, 3600]), (2, [2, 4, 3600]), (3, [3, 3600]), (9, [3600])]
)
def test_a_step_goes_on_at_the_second_at_which_its_time_was_over(
    store: LedgerStore, ingest: Ingest, monkeypatch: pytest.MonkeyPatch, seconds: int, starts: list[int]
) -> None:
    # Each second has two usages, and the first one has another version.
    records = [build_plain_record(number, number // 2) for number in range(10)]
    records += [build_plain_record(0, value=7)]
    _put(store, *_count(1, *records))
    monkeypatch.setattr(send_usages_again, "SEND_SECONDS", seconds)
    outcomes = [_send(store)]
    while not outcomes[-1]["isSent"]:
        assert len(outcomes) < 20
        outcomes.append(_send(store, outcomes[-1]["start"]))
    assert [outcome["start"] - START for outcome in outcomes] == starts
    assert sum(outcome["sent"] for outcome in outcomes) == 11
    assert sorted(ingest.records) == sorted(map(msgspec.json.encode, records))


@pytest.mark.usefixtures("ingest")
def test_a_step_that_goes_on_keeps_what_it_counted(store: LedgerStore) -> None:
    _put(store, *_count(1, build_plain_record(1)))
    replay = SliceReplay(_select(), ReplaySlice(START, START + 3600, 5, 4, 3, 2), store, START + 86_400)
    replay.run()
    assert msgspec.to_builtins(replay.slice) == _outcome(sent=6, rejected=4, cancelled=3, tooOld=2)


@pytest.mark.usefixtures("ingest")
def test_a_slice_without_usage_is_sent(store: LedgerStore) -> None:
    assert _send(store) == _outcome()


def test_a_chunk_that_cannot_be_sent_is_an_error(store: LedgerStore, ingest: Ingest) -> None:
    _put(store, *_count(1, build_plain_record(1)))
    ingest.error = AwsError("ThrottlingException", 400)
    with pytest.raises(ChunkNotSent, match="ThrottlingException"):
        _send(store)


def test_a_record_that_cannot_be_rebuilt_fails_the_slice_after_the_others(store: LedgerStore, ingest: Ingest) -> None:
    odd = {**msgspec.to_builtins(build_plain_record(1)), "dimensions": {"b": "x", "a": "y"}}
    _put(store, *_count(1, odd, build_plain_record(2, 5)))
    for dry_run in (True, False):
        with pytest.raises(RecordNotRebuilt, match="1 records"):
            _send(store, dryRun=dry_run)
    assert ingest.ids == ["u2"]


def test_a_ledger_that_cannot_be_read_is_an_error(store: LedgerStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(send_usages_again, "own_ledger", lambda: LedgerStore(store.s3, "no-such-bucket"))
    event = {"request": msgspec.to_builtins(_select()), "slice": {"start": START, "end": START + 3600}}
    with pytest.raises(LedgerUnavailable, match="NoSuchBucket"):
        send_usages_again.handler(event, None)
