"""The step that reads records: its requests, its errors, and the size of its responses."""

import json
import unicodedata
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec import Raw

from amberflo_workflows.core.ledger import record_page
from amberflo_workflows.core.ledger.errors import LedgerUnavailable
from amberflo_workflows.core.ledger.receipt import UnreadableObject
from amberflo_workflows.core.ledger.store import LedgerStore
from amberflo_workflows.core.page_token import encode_token
from amberflo_workflows.core.response import MAX_INLINE_BYTES
from amberflo_workflows.local.emulator import Emulator
from amberflo_workflows.tasks.read_records import MAX_RECORDS, handler
from tests.core.ledger.entries import START, build_entry, build_record, put_receipt

pytestmark = pytest.mark.emulator

LEDGER, ANSWERS = "ledger-of-steps", "answers-of-steps"
QUESTION = {"meterId": "id", "tenantId": "t", "startTimeInSeconds": START, "endTimeInSeconds": START + 3600}


@pytest.fixture(autouse=True)
def store(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[LedgerStore]:
    s3 = emulator.client("s3")
    environment = {**emulator.environment, "LEDGER_BUCKET_NAME": LEDGER, "ANSWERS_BUCKET_NAME": ANSWERS}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    for bucket in (LEDGER, ANSWERS):
        s3.create_bucket(Bucket=bucket)
    yield LedgerStore(s3, LEDGER)
    for bucket in (LEDGER, ANSWERS):
        for item in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
            s3.delete_object(Bucket=bucket, Key=item["Key"])
        s3.delete_bucket(Bucket=bucket)


def _run(name: str = "m", **question: Any) -> Any:
    members = {key: value for key, value in {**QUESTION, **question}.items() if value != "absent"}
    event = {"request": {"question": members, "meterApiName": name}, "execution": {"name": "run-1"}}
    return json.loads(json.dumps(handler(json.loads(json.dumps(event)), None)))


def test_a_page_and_the_next_one(store: LedgerStore) -> None:
    records = [build_record(number, number, 0.1) for number in range(3)]
    entries = [build_entry("counted", 9, record, event_id="e", index=4) for record in records]
    key = put_receipt(store, "hour=15/a", entries)
    body = _run(limit="2")["body"]
    assert body["data"][0] == {
        "record": {
            "customerId": "t",
            "meterApiName": "m",
            "meterValue": 0.1,
            "meterTimeInMillis": START * 1000,
            "uniqueId": "u0",
            "dimensions": {},
        },
        "cancelledBy": None,
        "counted": [
            {"time": "2026-11-27T15:00:09.000Z", "eventId": "e", "index": 4, "executionArn": "arn", "receipt": key}
        ],
    }
    assert (len(body["data"]), body["total"]) == (2, 0.2)
    body = _run(limit=2, next_token=body["next_token"])["body"]
    assert ([item["record"]["uniqueId"] for item in body["data"]], body["total"]) == (["u2"], 0.1)
    assert body["next_token"] is None


def test_no_records() -> None:
    assert _run(next_token=None, limit=None) == {
        "statusCode": 200,
        "body": {"data": [], "total": 0, "next_token": None},
    }


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_are_compared_in_their_composed_form(store: LedgerStore, form: Any) -> None:
    put_receipt(store, "hour=15/a", [build_entry("counted", 9, build_record(1, tenant="café", meter="mé"))])
    body = _run(unicodedata.normalize(form, "mé"), tenantId=unicodedata.normalize(form, "café"))["body"]
    assert len(body["data"]) == 1
    assert _run("mé", tenantId="cafe")["body"]["data"] == []


@pytest.mark.parametrize("name", ["tenantId", "startTimeInSeconds", "endTimeInSeconds"])
@pytest.mark.parametrize("value", ["absent", "", None, ["t", "t"], {}])
def test_a_tenant_and_a_range_are_required(store: LedgerStore, name: str, value: Any) -> None:
    put_receipt(store, "hour=15/a", [build_entry("counted", 9, build_record(1))])
    response = _run(**{name: value})
    assert response["statusCode"] == 400
    (detail,) = response["body"]["details"]
    assert (detail["field"], "It is empty" in detail["problem"]) == (name, value == "")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("tenantId", value) for value in (" ", "x" * 201, 5)),
        *(("startTimeInSeconds", value) for value in (-1, 1.5, "x", START * 1000, START + 3600)),
        *(("limit", value) for value in ("", 0, MAX_RECORDS + 1, "x")),
        *(
            ("next_token", value)
            for value in ("", "x", "\u00e9", encode_token("x"), encode_token([START * 1000, "", 1]))
        ),
        ("next_token", encode_token([START * 1000, "0"])),
        ("next_token", encode_token([10**30, ""])),
        ("tenant", "t"),
        ("filter.region", "eu"),
        ("meterId", ".."),
    ],
)
def test_an_invalid_request_is_a_400(field: str, value: Any) -> None:
    response = _run(**{field: value})
    assert response["statusCode"] == 400, response
    assert response["body"]["details"][0]["field"] == field


@pytest.mark.parametrize("tenant", ["\ud800", "a\udfff"])
def test_text_that_is_not_unicode_is_a_400(tenant: str) -> None:
    assert _run(tenantId=tenant)["statusCode"] == 400


def test_a_token_of_another_tenant_is_a_400(store: LedgerStore) -> None:
    records = [build_record(number, tenant=tenant) for tenant in ("t", "t2") for number in range(2)]
    put_receipt(store, "hour=15/a", [build_entry("counted", 9, record) for record in records])
    token = _run(limit=1)["body"]["next_token"]
    assert _run(limit=1, next_token=token)["statusCode"] == 200
    assert _run(limit=1, next_token=token, tenantId="t2")["statusCode"] == 400


def test_a_large_page_is_stored_and_replaced_by_a_claim(store: LedgerStore) -> None:
    put_receipt(
        store,
        "hour=15/a",
        [build_entry("counted", 9, build_record(number), event_id="e" * 300) for number in range(MAX_RECORDS + 1)],
    )
    response = _run()
    claim = response["claim"]
    assert claim["bytes"] > MAX_INLINE_BYTES
    body = json.loads(store.s3.get_object(Bucket=ANSWERS, Key=claim["key"])["Body"].read())
    assert (len(body["data"]), bool(body["next_token"])) == (MAX_RECORDS, True)


def _put_object(store: LedgerStore, key: str, content: bytes) -> None:
    store.s3.put_object(Bucket=LEDGER, Key=key, Body=content)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("receipts/date=2026-11-27/hour=15/a.ndjson.gz", "hour=15/a.ndjson.gz of the ledger cannot be read"),
        ("sorted/date=2026-11-27/hour=15/a.ndjson.gz", "in sorted/date=2026-11-27/hour=15/ cannot be read"),
        ("sorted-until.json", "The ledger has an invalid entry"),
    ],
)
def test_an_unreadable_object_is_an_error_of_its_own(store: LedgerStore, key: str, message: str) -> None:
    _put_object(store, key, b"no gzip")
    with pytest.raises(UnreadableObject, match=message):
        _run()


def test_a_rule_that_cannot_be_read_is_not_the_callers_error(store: LedgerStore) -> None:
    put_receipt(store, "hour=15/a", [build_entry("rule", 9, None, rule=Raw(b'{"id": 5}'))])
    with pytest.raises(UnreadableObject, match="The ledger has an invalid entry"):
        _run()


def test_a_missing_bucket_is_an_error_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEDGER_BUCKET_NAME", "missing")
    with pytest.raises(LedgerUnavailable, match="NoSuchBucket"):
        _run()


def test_too_many_receipts_that_are_not_sorted_are_a_409(store: LedgerStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_page, "MAX_READ_BYTES", 1)
    put_receipt(store, "hour=15/a", [build_entry("counted", 9, build_record(1))])
    response = _run()
    assert response["statusCode"] == 409
    assert "a page: 1 with " in response["body"]["message"]
