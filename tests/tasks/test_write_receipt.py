"""Receipts in a bucket of the emulator, and the bytes that ``send_usages`` sends for the same chunk."""

import importlib
import json
import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest
from msgspec import UNSET, Raw

from amberflo_workflows.core.ledger.receipt import Entry, decode_receipts, encode_receipt
from amberflo_workflows.core.ledger.stream import ReceiptNotWritten
from amberflo_workflows.core.usage_record import InvalidUsage
from tests.http_server import serving
from tests.packages import ROOT
from tests.tasks.caches import clear_caches
from tests.tasks.conftest import Steps
from tests.tasks.usages import NOW, build_usage

BUCKET = STREAM = "ledger"
ARN = "arn:aws:states:us-east-1:000000000000:express:ingest_usage:run-1:0f3b"
TIME = "2026-11-28T00:00:01.5Z"


@pytest.fixture
def ledger(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The S3 client; the stream writes to the bucket as in the template."""
    s3, firehose = steps.emulator.client("s3"), steps.emulator.client("firehose")
    s3.create_bucket(Bucket=BUCKET)
    firehose.create_delivery_stream(
        DeliveryStreamName=STREAM,
        ExtendedS3DestinationConfiguration={
            "RoleARN": "arn:aws:iam::000000000000:role/ledger",
            "BucketARN": f"arn:aws:s3:::{BUCKET}",
            "Prefix": "receipts/date=!{timestamp:yyyy-MM-dd}/hour=!{timestamp:HH}/",
            "ErrorOutputPrefix": "errors/",
            "FileExtension": ".ndjson.gz",
        },
    )
    monkeypatch.setenv("LEDGER_STREAM_NAME", STREAM)
    yield s3
    firehose.delete_delivery_stream(DeliveryStreamName=STREAM)
    for key in _list_keys(s3):
        s3.delete_object(Bucket=BUCKET, Key=key)
    s3.delete_bucket(Bucket=BUCKET)


def _list_keys(s3: Any) -> list[str]:
    return [item["Key"] for item in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]


def _read_new(s3: Any) -> list[Entry]:
    """Read the entries of all receipts, and delete them."""
    entries: list[Entry] = []
    for key in _list_keys(s3):
        entries += decode_receipts(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read(), "")
        s3.delete_object(Bucket=BUCKET, Key=key)
    return entries


def _run(task: str, request: Any, **members: Any) -> Any:
    execution = {"id": ARN, "name": "run-1"}
    event = {"request": request, "keyVersion": "v-1", "execution": execution, "time": TIME, **members}
    handler = importlib.import_module(f"amberflo_workflows.tasks.{task}").handler
    return handler(json.loads(json.dumps(event)), None)


def _write(usages: list[Any], places: list[int] | None = None) -> Any:
    return _run("write_receipt", {"usages": usages}, rejectedPlaces=places or [])


class _Amberflo(BaseHTTPRequestHandler):
    """Has a meter, and stores what is ingested."""

    bodies: list[bytes]

    def do_GET(self) -> None:
        self._respond(b'[{"meterApiName": "api-calls"}]')

    def do_POST(self) -> None:
        self.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self._respond(b"{}")

    def _respond(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


def test_a_receipt_has_the_bytes_that_were_sent(steps: Steps, ledger: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    usages = [
        build_usage(0, meterValue=5.0, region="e\u0301"),
        build_usage(1, meterValue="five"),
        build_usage(2, uniqueId=" u-2 ", meterTimeInMillis=(NOW - 90) * 1000, zone=1.10, area=None),
    ]
    _Amberflo.bodies = []
    with serving(_Amberflo) as url:
        for name in ("AMBERFLO_BASE_URL", "AMBERFLO_INGEST_URL"):
            monkeypatch.setenv(name, url)
        clear_caches()
        sent = steps.run("send_usages", {"usages": usages})
    assert _write(usages, sent["rejectedPlaces"]) == {"entries": 3}
    entries = _read_new(ledger)
    assert [entry.outcome for entry in entries] == ["counted", "rejected", "counted"]
    records = [bytes(entry.record) for entry in entries if entry.record]
    (body,) = _Amberflo.bodies
    assert body == b"[" + b",".join(records) + b"]"


def test_an_entry_says_where_its_usage_came_from(ledger: Any) -> None:
    _write([build_usage(7), build_usage(8, uniqueId="u-8")], [1])
    counted, rejected = _read_new(ledger)
    for entry, number in ((counted, 7), (rejected, 8)):
        assert (entry.event_id, entry.index) == (f"e{number}", number)
        assert (entry.time, entry.execution_arn, entry.key_version) == (TIME, ARN, "v-1")
    assert (counted.rejection, rejected.record) == (UNSET, UNSET)
    assert rejected.rejection
    assert (rejected.rejection.unique_id, rejected.rejection.tenant_id) == ("u-8", "t1")


def test_a_receipt_that_is_written_again_has_the_same_content() -> None:
    entry = Entry(outcome="counted", time=TIME, execution_arn=ARN, key_version="v-1", record=Raw(b"{}"))
    content = encode_receipt([entry, entry])
    assert encode_receipt([entry, entry]) == content
    # An object of the ledger has one receipt after the other.
    assert len(list(decode_receipts(content * 3, ""))) == 6


def test_a_usage_that_has_no_record_fails_the_step(ledger: Any) -> None:
    with pytest.raises(InvalidUsage, match="meterValue must be a number"):
        _write([build_usage(meterValue="five")])
    assert _list_keys(ledger) == []


def test_a_ledger_that_rejects_a_receipt_fails_the_step(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    del steps
    monkeypatch.setenv("LEDGER_STREAM_NAME", "no-such-stream")
    with pytest.raises(ReceiptNotWritten, match=r"'no-such-stream' .* rejected .*: ResourceNotFoundException \(400\)"):
        _write([build_usage()])


def test_a_ledger_that_does_not_respond_fails_the_step(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    del steps
    monkeypatch.setenv("LEDGER_STREAM_NAME", STREAM)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    clear_caches()
    with pytest.raises(ReceiptNotWritten, match="could not be reached: ConnectionRefusedError"):
        _write([build_usage()])


def test_cancelled_records_are_as_they_were_counted(ledger: Any) -> None:
    usage = build_usage(uniqueId="u-1", meterTimeInMillis=NOW * 1000, region="eu")
    _write([usage])
    assert _run("write_cancellation", {"records": [usage["usage"]]}) == {"entries": 1}
    counted, cancelled = sorted(_read_new(ledger), key=lambda entry: entry.outcome, reverse=True)
    assert cancelled.record
    assert counted.record
    assert (cancelled.outcome, bytes(cancelled.record)) == ("cancelled", bytes(counted.record))


def test_a_rule_is_in_the_ledger_as_its_caller_wrote_it(ledger: Any) -> None:
    time_range = {"startTimeInSeconds": 100, "endTimeInSeconds": 200}
    rule = {"id": "r-1", "meterApiName": "api-calls", "ingestionTimeRange": time_range}
    _run("write_cancellation", rule)
    (entry,) = _read_new(ledger)
    assert (entry.outcome, msgspec.json.decode(bytes(entry.rule or b""))) == ("rule", rule)


def test_the_query_of_the_document_counts_each_record_once(ledger: Any, tmp_path: Path) -> None:
    time = NOW // 3600 * 3600
    usages = [
        build_usage(number, meterValue=number, uniqueId=f"u{number}", meterTimeInMillis=time * 1000 + number)
        for number in range(5)
    ]
    _write(usages, [4])
    _write(usages[:2])
    _run("write_cancellation", {"records": [usages[3]["usage"]]})
    for key in _list_keys(ledger):
        file = tmp_path / key
        file.parent.mkdir(parents=True, exist_ok=True)
        # Twice, as an object has several receipts.
        file.write_bytes(2 * ledger.get_object(Bucket=BUCKET, Key=key)["Body"].read())
    query = (ROOT / "docs" / "ledger.md").read_text().partition("```sql\n")[2].partition("```")[0]
    local_query = re.sub(r"s3://BUCKET/receipts/date=\S+?/\*\*", f"{tmp_path}/receipts/**", query)
    assert local_query != query
    (row,) = duckdb.execute(local_query).fetchall()
    assert (row[0], row[1], row[2].timestamp(), *row[3:]) == ("api-calls", "t1", time, 3, 3)
