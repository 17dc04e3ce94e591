import csv
import gzip
import io
import json
import os
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from amberflo_workflows.local.system import System
from tests.cli.metering import Metering
from tests.conftest import sandbox_of
from tests.polling import soon

pytestmark = pytest.mark.emulator

COLUMNS = ("customer", "meterApiName", "meterValue", "meterTimeInMillis", "region")
TENANTS = ("acme", "globex", "initech")


@pytest.fixture
def metering(system: System, tmp_path: Path) -> Metering:
    return Metering(system, tmp_path / "home")


def _rows(count: int, **change: Any) -> list[dict[str, Any]]:
    now = int(time.time() * 1000)
    row = {"meterApiName": "api-calls", "region": "eu", **change}
    return [
        {"customer": TENANTS[n % 3], "meterValue": n + 1, "meterTimeInMillis": now - 1_000_000 + n, **row}
        for n in range(count)
    ]


def _csv(rows: list[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _expected(rows: list[dict[str, Any]]) -> dict[str, float]:
    sums: Counter[str] = Counter()
    for row in rows:
        sums[row["customer"]] += row["meterValue"]
    return dict(sums)


def _counted(metering: Metering) -> dict[str, float]:
    return sandbox_of(metering.system).totals("api-calls")


def _records(metering: Metering) -> int:
    records: int = sandbox_of(metering.system).requests()["records"]
    return records


def _is_quiet(metering: Metering) -> bool:
    before = _records(metering)
    time.sleep(1)
    return _records(metering) == before


def _write(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    return str(path)


def _upload(system: System, key: str, data: bytes) -> str:
    bucket = system.outputs["BackfillBucketName"]
    system.client("s3").put_object(Bucket=bucket, Key=key, Body=data)
    return f"s3://{bucket}/{key}"


def test_a_file_is_counted_once_however_often_it_is_sent_and_whatever_its_kind(
    metering: Metering, tmp_path: Path
) -> None:
    rows = _rows(450)
    lines = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    files = [
        _write(tmp_path / "usage.csv", _csv(rows)),
        _write(tmp_path / "usage.csv.gz", gzip.compress(_csv(rows))),
        _upload(metering.system, "folder/usage.csv", _csv(rows)),
        _write(tmp_path / "usage.ndjson", lines),
        _upload(metering.system, "usage.ndjson.gz", gzip.compress(lines)),
    ]
    for file in files:
        # One name for all: what differs is how they are packed, and where they lie.
        name = "csv" if "csv" in file else "json"
        told = metering.json("backfill", file, "--map", "tenantId=customer", "--name", name)
        assert (told["accepted"], told["rejected"]) == (450, 0)
        factor = 1 if name == "csv" else 2
        assert _counted(metering) == {tenant: factor * total for tenant, total in _expected(rows).items()}


def test_rows_that_are_wrong_are_kept_and_named_and_the_others_are_counted(metering: Metering, tmp_path: Path) -> None:
    rows = _rows(250)
    bad = [*_rows(1, meterValue="five"), *_rows(2, meterTimeInMillis=1)]
    file = _write(tmp_path / "usage.csv", _csv([*rows, *bad]) + b"acme,too few\n")
    for option in ("--dry-run", "--json"):
        done = metering("backfill", file, "--map", "tenantId=customer", "--json", option)
        assert done.returncode == 1
        told = json.loads(done.stdout)
        assert (told["accepted"], told["rejected"]) == (250, 4)
        assert told["reasons"] == {
            "meterValue must be a number, not text": 1,
            "it is more than 60 days old": 2,
            "a usage must be an object, not text": 1,
        }
        assert _counted(metering) == ({} if option == "--dry-run" else _expected(rows))
    name = _csv([*rows, *bad]).decode().index("five")
    begin = _csv([*rows, *bad]).decode().rindex("\n", 0, name) + 1
    listed = metering.json("rejected", "list", "--reason", "must be a number")
    assert f"usage.csv:{begin}" in [item["unique_id"] for item in listed]


def test_a_dry_run_tells_what_would_be_counted(metering: Metering, tmp_path: Path) -> None:
    rows = _rows(30)
    told = metering.json("backfill", _write(tmp_path / "u.csv", _csv(rows)), "--map", "tenantId=customer", "--dry-run")
    assert told["totals"] == {"api-calls": sum(row["meterValue"] for row in rows)}
    assert sandbox_of(metering.system).totals("api-calls") == {}


def test_an_interrupted_backfill_goes_on_where_it_was(metering: Metering, tmp_path: Path) -> None:
    rows = _rows(4_000)
    file = _write(tmp_path / "usage.csv", _csv(rows))
    command = metering.command("backfill", file, "--map", "tenantId=customer")
    with subprocess.Popen(command, env=metering.environment, stdout=subprocess.DEVNULL) as first:
        assert soon(lambda: list((tmp_path / "home" / "backfills").glob("*.json")) != [])
        os.kill(first.pid, signal.SIGKILL)
    (journal,) = (tmp_path / "home" / "backfills").glob("*.json")
    sent = json.loads(journal.read_text())["accepted"]
    # What was on its way then still arrives.
    assert soon(lambda: _is_quiet(metering))
    sandbox_of(metering.system).clear_requests()
    done = metering("backfill", file, "--map", "tenantId=customer")
    assert done.returncode == 0, done
    assert f"Resuming after {sent:,} rows" in done.stdout
    assert "4,000 counted, 0 rejected." in done.stdout
    assert 0 < _records(metering) == 4_000 - sent
    assert _counted(metering) == _expected(rows)
    assert list((tmp_path / "home" / "backfills").glob("*.json")) == []


def test_a_backfill_that_meets_a_fault_says_so_and_goes_on_when_it_is_over(metering: Metering, tmp_path: Path) -> None:
    rows = _rows(250)
    file = _write(tmp_path / "usage.csv", _csv(rows))
    sandbox_of(metering.system).set_faults([{"kind": "accept_then_drop", "path": "/ingest"}])
    done = metering("backfill", file, "--map", "tenantId=customer")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert "resumes where it stopped" in done.stderr
    sandbox_of(metering.system).clear_faults()
    assert metering("backfill", file, "--map", "tenantId=customer").returncode == 0
    assert _counted(metering) == _expected(rows)


def test_a_file_of_many_ranges_is_read_by_as_many_executions_and_each_row_counts_once(metering: Metering) -> None:
    rows = _rows(6_500, region="x" * 60)
    url = _upload(metering.system, "large.csv", _csv(rows))
    told = metering.json("backfill", url, "--map", "tenantId=customer")
    assert (told["accepted"], told["rejected"], told["ranges"]) == (6_500, 0, 3)
    assert _counted(metering) == _expected(rows)


def test_a_range_that_fails_fails_the_whole_and_starting_again_finishes_it(metering: Metering) -> None:
    rows = _rows(300)
    url = _upload(metering.system, "failing.csv", _csv(rows))
    sandbox_of(metering.system).set_faults([{"kind": "status", "status": 404, "path": "/ingest"}])
    done = metering("backfill", url, "--map", "tenantId=customer")
    assert done.returncode == 1
    assert "BackfillIncomplete: Some ranges of the file were not sent" in done.stderr
    sandbox_of(metering.system).clear_faults()
    assert metering("backfill", url, "--map", "tenantId=customer").returncode == 0
    assert _counted(metering) == _expected(rows)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("none.csv",), 1, "none.csv cannot be read: No such file"),
        (("usage.txt",), 1, "is it csv or ndjson?"),
        (("usage.txt", "--format", "csv"), 1, "The file has no column for tenantId"),
        (("usage.txt", "--format", "csv", "--map", "tenantId"), 2, "--map must be MEMBER=…, not 'tenantId'"),
        (("usage.txt", "--format", "csv", "--map", "tenantId=tenant"), 1, "The file has no column 'tenant'"),
        (("broken.csv.gz",), 1, "broken.csv.gz is not a complete gzip file"),
        (("s3://nobucket",), 1, "it is like s3://BUCKET/KEY"),
        (("s3://nobucket/key.csv",), 1, "s3://nobucket/key.csv cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line(
    metering: Metering, tmp_path: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    _write(tmp_path / "usage.txt", _csv(_rows(1)))
    _write(tmp_path / "broken.csv.gz", gzip.compress(_csv(_rows(100)))[:-20])
    file = arguments[0] if arguments[0].startswith("s3:") else str(tmp_path / arguments[0])
    done = metering("backfill", file, *arguments[1:])
    assert (done.returncode, done.stderr.count("\n")) == (code, 1), done.stderr
    assert message in done.stderr
