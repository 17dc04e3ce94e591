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
from tests.cli.local_metering import create_meter
from tests.cli.metering import Metering
from tests.conftest import sandbox_of
from tests.entrypoints.calls import Api
from tests.polling import wait_until

pytestmark = [pytest.mark.emulator, pytest.mark.meters("api-calls")]

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


def _compute_totals(rows: list[dict[str, Any]]) -> dict[str, float]:
    sums: Counter[str] = Counter()
    for row in rows:
        sums[row["customer"]] += row["meterValue"]
    return dict(sums)


def _read_totals(metering: Metering) -> dict[str, float]:
    return sandbox_of(metering.system).totals("api-calls")


def _count_records(metering: Metering) -> int:
    records: int = sandbox_of(metering.system).requests()["records"]
    return records


def _is_idle(metering: Metering) -> bool:
    """Whether no execution of ingest_usage is running."""
    system = metering.system
    executions = system.client("stepfunctions").list_executions(
        stateMachineArn=system.state_machine_arns["ingest_usage"], statusFilter="RUNNING"
    )
    return not executions["executions"]


def _write(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    return str(path)


def _upload(system: System, key: str, data: bytes) -> str:
    bucket = system.outputs["BackfillBucketName"]
    system.client("s3").put_object(Bucket=bucket, Key=key, Body=data)
    return f"s3://{bucket}/{key}"


def test_a_file_counts_once_in_every_format_and_from_every_place(metering: Metering, tmp_path: Path) -> None:
    rows = _rows(450)
    lines = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    files = [
        _write(tmp_path / "usage.csv", _csv(rows)),
        _write(tmp_path / "usage.csv.gz", gzip.compress(_csv(rows))),
        _write(tmp_path / ("n" * 150 + ".csv"), _csv(rows)),
        _write(tmp_path / os.fsdecode(b"caf\xe9.csv"), _csv(rows)),
        _upload(metering.system, "folder/usage.csv", _csv(rows)),
        _upload(metering.system, "another/renamed.csv", _csv(rows)),
        _write(tmp_path / "usage.ndjson", lines),
        _upload(metering.system, "usage.ndjson.gz", gzip.compress(lines)),
    ]
    for file in files:
        report = metering.json("backfill", file, "--map", "tenantId=customer")
        assert (report["accepted"], report["rejected"]) == (450, 0)
        factor = 1 if "csv" in file else 2
        assert _read_totals(metering) == {tenant: factor * total for tenant, total in _compute_totals(rows).items()}


def test_equal_rows_of_files_with_different_names_count_each(metering: Metering, tmp_path: Path) -> None:
    rows = _rows(3)
    for name in ("server-1", "server-2"):
        for file in (_write(tmp_path / "usage.csv", _csv(rows)), _upload(metering.system, f"{name}.csv", _csv(rows))):
            assert metering("backfill", file, "--map", "tenantId=customer", "--name", name).returncode == 0
    assert _read_totals(metering) == {tenant: 2 * total for tenant, total in _compute_totals(rows).items()}


def test_a_dry_run_promises_what_the_run_counts(metering: Metering, tmp_path: Path) -> None:
    """Rows that repeat an identity, with the same value or another one; three equal rows without a uniqueId."""
    now = int(time.time() * 1000)
    usage = {"tenantId": "acme", "meterApiName": "api-calls", "meterTimeInMillis": now}
    ids = [("a", 5), ("a", 5.0), (" a", 5), ("b", 7), ("b", 8), ("c", 1)]
    rows = [{**usage, "uniqueId": unique_id, "meterValue": value} for unique_id, value in ids]
    rows += [{**usage, "meterValue": 10}] * 3
    file = _write(tmp_path / "usage.ndjson", b"".join(json.dumps(row).encode() + b"\n" for row in rows))
    report = metering.json("backfill", file, "--dry-run")
    assert (report["accepted"], report["totals"]) == (9, {"api-calls": 44})
    assert (report["by_position"], report["repeated"], report["repeated_with_another_value"]) == (3, 2, 1)
    output = metering("backfill", file, "--dry-run").stdout
    assert "2 rows repeat an earlier row" in output
    assert "1 rows repeat an earlier row with another value" in output
    assert "3 rows have no uniqueId" in output
    assert metering.json("backfill", file)["accepted"] == 9
    assert _read_totals(metering) == {"acme": 44}


def test_invalid_rows_are_rejected_and_the_rest_is_counted(metering: Metering, tmp_path: Path) -> None:
    rows = _rows(250)
    bad = [*_rows(1, meterValue="five"), *_rows(2, meterTimeInMillis=1)]
    file = _write(tmp_path / "usage.csv", _csv([*rows, *bad]) + b"acme,too few\n")
    for option in ("--dry-run", "--json"):
        done = metering("backfill", file, "--map", "tenantId=customer", "--json", option)
        assert done.returncode == 1
        report = json.loads(done.stdout)
        assert (report["accepted"], report["rejected"]) == (250, 4)
        assert report["reasons"] == {
            "meterValue must be a number, not text": 1,
            "it is more than 60 days old": 2,
            "the row has 2 fields, and the header has 5": 1,
        }
        assert _read_totals(metering) == ({} if option == "--dry-run" else _compute_totals(rows))
    text = _csv([*rows, *bad]).decode()
    row_start = text.rindex("\n", 0, text.index("five")) + 1
    items = metering.json("rejected", "list", "--reason", "must be a number")
    assert [item["unique_id"].partition(":")[2] for item in items] == [str(row_start)]


def test_a_dry_run_reports_totals_and_counts_nothing(metering: Metering, tmp_path: Path) -> None:
    rows = _rows(30)
    file = _write(tmp_path / "usage.csv", _csv(rows))
    report = metering.json("backfill", file, "--map", "tenantId=customer", "--dry-run")
    assert report["totals"] == {"api-calls": sum(row["meterValue"] for row in rows)}
    assert sandbox_of(metering.system).totals("api-calls") == {}


@pytest.mark.meters
def test_a_constant_stays_the_text_that_was_entered(metering: Metering, tmp_path: Path) -> None:
    meter = create_meter(metering.system, "api-calls", dimensions=["version"])
    data = _csv(_rows(3))
    for file in (_write(tmp_path / "a.csv", data), _upload(metering.system, "b.csv", data)):
        options = ("--map", "tenantId=customer", "--set", "version=1.10", "--set", "meterValue=2")
        report = metering.json("backfill", file, *options)
        assert report["accepted"] == 3
        (group,) = Api(metering.system).call("GET", f"usage/{meter['id']}?groupBy=version").body["data"]["clientMeters"]
        assert (group["group"]["groupInfo"], group["groupValue"]) == ({"version": "1.10"}, 6)


def test_an_interrupted_backfill_resumes(metering: Metering, tmp_path: Path) -> None:
    rows = _rows(4_000)
    file = _write(tmp_path / "usage.csv", _csv(rows))
    command = metering.command("backfill", file, "--map", "tenantId=customer")
    with subprocess.Popen(command, env=metering.environment, stdout=subprocess.DEVNULL) as process:
        assert wait_until(lambda: list((tmp_path / "home" / "backfills").glob("*.json")) != [])
        os.kill(process.pid, signal.SIGKILL)
    (journal,) = (tmp_path / "home" / "backfills").glob("*.json")
    sent = json.loads(journal.read_text())["accepted"]
    # Executions that were running then still end.
    assert wait_until(lambda: _is_idle(metering))
    sandbox_of(metering.system).clear_requests()
    done = metering("backfill", file, "--map", "tenantId=customer")
    assert done.returncode == 0, done
    assert f"Resuming after {sent:,} rows" in done.stdout
    assert "4,000 counted, 0 rejected." in done.stdout
    assert 0 < _count_records(metering) == 4_000 - sent
    assert _read_totals(metering) == _compute_totals(rows)
    assert list((tmp_path / "home" / "backfills").glob("*.json")) == []


def test_a_backfill_that_fails_resumes_after_the_fault(metering: Metering, tmp_path: Path) -> None:
    rows = _rows(250)
    file = _write(tmp_path / "usage.csv", _csv(rows))
    sandbox_of(metering.system).set_faults([{"kind": "accept_then_drop", "path": "/ingest"}])
    done = metering("backfill", file, "--map", "tenantId=customer")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert "resumes where it stopped" in done.stderr
    sandbox_of(metering.system).clear_faults()
    assert metering("backfill", file, "--map", "tenantId=customer").returncode == 0
    assert _read_totals(metering) == _compute_totals(rows)


def test_a_file_is_read_in_ranges_and_each_row_counts_once(metering: Metering) -> None:
    rows = _rows(6_500, region="x" * 60)
    url = _upload(metering.system, "large.csv", _csv(rows))
    report = metering.json("backfill", url, "--map", "tenantId=customer")
    assert (report["accepted"], report["rejected"], report["ranges"]) == (6_500, 0, 3)
    assert _read_totals(metering) == _compute_totals(rows)


def test_a_range_that_fails_fails_the_backfill_and_repeating_it_succeeds(metering: Metering) -> None:
    rows = _rows(300)
    url = _upload(metering.system, "failing.csv", _csv(rows))
    sandbox_of(metering.system).set_faults([{"kind": "status", "status": 404, "path": "/ingest"}])
    done = metering("backfill", url, "--map", "tenantId=customer")
    assert done.returncode == 1
    assert "BackfillIncomplete: Some ranges failed" in done.stderr
    sandbox_of(metering.system).clear_faults()
    assert metering("backfill", url, "--map", "tenantId=customer").returncode == 0
    assert _read_totals(metering) == _compute_totals(rows)


def test_free_text_of_a_tenant_is_never_a_row(metering: Metering, tmp_path: Path) -> None:
    rows = _rows(6_500, region='hello\nbolt,api-calls,5000,1700000000000,x\n"bye"')
    files = [
        _write(tmp_path / "text.csv", _csv(rows)),
        _write(tmp_path / "text.csv.gz", gzip.compress(_csv(rows))),
        _upload(metering.system, "text.csv", _csv(rows)),
        _upload(metering.system, "text.csv.gz", gzip.compress(_csv(rows))),
    ]
    for file in files:
        report = metering.json("backfill", file, "--map", "tenantId=customer", "--name", "text")
        assert (report["accepted"], report["rejected"], report.get("ranges", 1) > 1) == (6_500, 0, file == files[2])
        assert _read_totals(metering) == _compute_totals(rows)


_HEADER = ",".join(COLUMNS).encode() + b"\n"


@pytest.mark.parametrize("place", ["local", "dry run", "s3"])
@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("open.csv", _HEADER + b'acme,m,1,1,"eu\nglobex,m,1,1,eu\n', "The row at byte 58 has a quote that does not"),
        ("open.csv.gz", gzip.compress(_HEADER + b'acme,m,1,1,"eu\n'), "The row at byte 58 has a quote that does not"),
        ("cut.csv.gz", gzip.compress(_HEADER + b"acme,m,1,1,eu\n" * 9_000)[:-20], "not a complete gzip file"),
        ("damaged.ndjson.gz", gzip.compress(b"{}" * 99)[:12] + b"\xff" * 40, "not a complete gzip file"),
        ("wide.csv", _HEADER.decode().encode("utf-16-le"), "looks like UTF-16 or UTF-32. Save it as UTF-8"),
        ("latin.csv", b"caf\xe9," + _HEADER, "the byte 0xe9 is not UTF-8; save the file as UTF-8"),
        ("pandas.csv", b"," + _HEADER, "Column 1 of 6 has no name"),
    ],
    ids=["open", "open gzip", "cut", "damaged", "utf-16", "latin", "pandas"],
)
def test_an_odd_file_is_one_sentence(
    metering: Metering, tmp_path: Path, *, place: str, name: str, data: bytes, message: str
) -> None:
    file = _upload(metering.system, name, data) if place == "s3" else _write(tmp_path / name, data)
    options = ("--dry-run",) if place == "dry run" else ()
    done = metering("backfill", file, "--map", "tenantId=customer", *options)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert message in done.stderr


@pytest.mark.parametrize("name", ["open.csv", "cut.csv.gz"])
def test_the_workflow_returns_a_400_for_an_odd_file(metering: Metering, name: str) -> None:
    contents = {
        "open.csv": _HEADER + b'acme,m,1,1,"eu\n',
        "cut.csv.gz": gzip.compress(_HEADER + b"acme,m,1,1,eu\n" * 9_000)[:-20],
    }
    _upload(metering.system, name, contents.get(name, _HEADER))
    client, machine = metering.system.client("stepfunctions"), metering.system.state_machine_arns["backfill_usage"]
    request = {
        "bucket": metering.system.outputs["BackfillBucketName"],
        "key": name,
        "columns": {"tenantId": "customer"},
    }
    arn = client.start_execution(stateMachineArn=machine, input=json.dumps(request))["executionArn"]
    assert wait_until(lambda: client.describe_execution(executionArn=arn)["status"] != "RUNNING")
    execution = client.describe_execution(executionArn=arn)
    assert execution["status"] == "SUCCEEDED"
    assert json.loads(execution["output"])["statusCode"] == 400


def test_the_content_decides_how_a_file_is_read(metering: Metering, tmp_path: Path) -> None:
    """Each has the same rows, so all of them count once; what is decoded first has the same positions."""
    rows = _rows(6_500)
    text = _csv(rows)
    contents = {
        "packed.csv": gzip.compress(text),
        "plain.csv.gz": text,
        "wide.csv": text.decode().encode("utf-16"),
        "cr.csv": text.replace(b"\r\n", b"\r"),
        "lf.csv": text.replace(b"\r\n", b"\n"),
    }
    for name, data in contents.items():
        options = ("--map", "tenantId=customer")
        assert metering.json("backfill", _write(tmp_path / name, data), *options, "--dry-run")["accepted"] == 6_500
        for file in (_write(tmp_path / name, data), _upload(metering.system, name, data)):
            report = metering.json("backfill", file, *options)
            assert (report["accepted"], report["rejected"]) == (6_500, 0), file
    expected = {tenant: 2 * total for tenant, total in _compute_totals(rows).items()}
    assert _read_totals(metering) == expected


def test_a_file_with_a_header_only_has_no_usage(metering: Metering, tmp_path: Path) -> None:
    for file in (_write(tmp_path / "none.csv", _HEADER), _upload(metering.system, "none.csv", _HEADER)):
        report = metering.json("backfill", file, "--map", "tenantId=customer")
        assert (report["accepted"], report["rejected"]) == (0, 0)


def test_a_name_that_cannot_identify_rows_is_one_sentence(metering: Metering, tmp_path: Path) -> None:
    file = _write(tmp_path / "usage.csv", _csv(_rows(1)))
    for name, message in (("n" * 151, "The name has 151 characters"), (os.fsdecode(b"caf\xe9"), "Set it in UTF-8")):
        done = metering("backfill", file, "--map", "tenantId=customer", "--name", name)
        assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
        assert message in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("none.csv",), 1, "none.csv cannot be read: No such file"),
        (("usage.txt",), 1, "The name usage.txt does not show the format."),
        (("usage.txt", "--format", "csv"), 1, "The file has no column for tenantId"),
        (("usage.txt", "--format", "csv", "--map", "tenantId"), 2, "--map must be MEMBER=…, not 'tenantId'"),
        (("usage.txt", "--format", "csv", "--map", "tenantId=tenant"), 1, "The file has no column 'tenant'"),
        (("broken.csv.gz",), 1, "broken.csv.gz is not a complete gzip file"),
        (("s3://nobucket",), 1, "which has the form s3://BUCKET/KEY"),
        (("s3://nobucket/key.csv",), 1, "s3://nobucket/key.csv cannot be read"),
    ],
)
def test_an_unreadable_file_is_one_line(
    metering: Metering, tmp_path: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    _write(tmp_path / "usage.txt", _csv(_rows(1)))
    _write(tmp_path / "broken.csv.gz", gzip.compress(_csv(_rows(100)))[:-20])
    file = arguments[0] if arguments[0].startswith("s3:") else str(tmp_path / arguments[0])
    done = metering("backfill", file, *arguments[1:])
    assert (done.returncode, done.stderr.count("\n")) == (code, 1), done.stderr
    assert message in done.stderr
