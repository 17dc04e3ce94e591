import gzip
import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from amberflo_workflows.local.system import System
from tests.cli.backfill_files import build_csv, build_rows, compute_totals, read_totals, upload_file, write_file
from tests.cli.local_metering import create_meter
from tests.cli.metering import Metering
from tests.conftest import sandbox_of
from tests.entrypoints.calls import Api
from tests.polling import wait_until

pytestmark = [pytest.mark.emulator, pytest.mark.meters("api-calls")]


@pytest.fixture
def metering(system: System, tmp_path: Path) -> Metering:
    return Metering(system, tmp_path / "home")


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


def test_a_file_counts_once_in_every_format_and_from_every_place(metering: Metering, tmp_path: Path) -> None:
    rows = build_rows(450)
    lines = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    files = [
        write_file(tmp_path / "usage.csv", build_csv(rows)),
        write_file(tmp_path / "usage.csv.gz", gzip.compress(build_csv(rows))),
        write_file(tmp_path / ("n" * 150 + ".csv"), build_csv(rows)),
        write_file(tmp_path / os.fsdecode(b"caf\xe9.csv"), build_csv(rows)),
        upload_file(metering.system, "folder/usage.csv", build_csv(rows)),
        upload_file(metering.system, "another/renamed.csv", build_csv(rows)),
        write_file(tmp_path / "usage.ndjson", lines),
        upload_file(metering.system, "usage.ndjson.gz", gzip.compress(lines)),
    ]
    for file in files:
        report = metering.json("backfill", file, "--map", "tenantId=customer")
        assert (report["accepted"], report["rejected"]) == (450, 0)
        factor = 1 if "csv" in file else 2
        assert read_totals(metering) == {tenant: factor * total for tenant, total in compute_totals(rows).items()}


def test_equal_rows_of_files_with_different_names_count_each(metering: Metering, tmp_path: Path) -> None:
    rows = build_rows(3)
    for name in ("server-1", "server-2"):
        for file in (
            write_file(tmp_path / "usage.csv", build_csv(rows)),
            upload_file(metering.system, f"{name}.csv", build_csv(rows)),
        ):
            assert metering("backfill", file, "--map", "tenantId=customer", "--name", name).returncode == 0
    assert read_totals(metering) == {tenant: 2 * total for tenant, total in compute_totals(rows).items()}


def test_a_dry_run_promises_what_the_run_counts(metering: Metering, tmp_path: Path) -> None:
    """Rows that repeat an identity, with the same value or another one; three equal rows without a uniqueId."""
    now = int(time.time() * 1000)
    usage = {"tenantId": "acme", "meterApiName": "api-calls", "meterTimeInMillis": now}
    ids = [("a", 5), ("a", 5.0), (" a", 5), ("b", 7), ("b", 8), ("c", 1)]
    rows = [{**usage, "uniqueId": unique_id, "meterValue": value} for unique_id, value in ids]
    rows += [{**usage, "meterValue": 10}] * 3
    file = write_file(tmp_path / "usage.ndjson", b"".join(json.dumps(row).encode() + b"\n" for row in rows))
    report = metering.json("backfill", file, "--dry-run")
    assert (report["accepted"], report["totals"]) == (9, {"api-calls": 44})
    assert (report["by_position"], report["repeated"], report["repeated_with_another_value"]) == (3, 2, 1)
    output = metering("backfill", file, "--dry-run").stdout
    assert "2 rows repeat an earlier row" in output
    assert "1 rows repeat an earlier row with another value" in output
    assert "3 rows have no uniqueId" in output
    assert metering.json("backfill", file)["accepted"] == 9
    assert read_totals(metering) == {"acme": 44}


def test_invalid_rows_are_rejected_and_the_rest_is_counted(metering: Metering, tmp_path: Path) -> None:
    rows = build_rows(250)
    bad = [*build_rows(1, meterValue="five"), *build_rows(2, meterTimeInMillis=1)]
    file = write_file(tmp_path / "usage.csv", build_csv([*rows, *bad]) + b"acme,too few\n")
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
        assert read_totals(metering) == ({} if option == "--dry-run" else compute_totals(rows))
    text = build_csv([*rows, *bad]).decode()
    row_start = text.rindex("\n", 0, text.index("five")) + 1
    items = metering.json("rejected", "list", "--reason", "must be a number")
    assert [item["unique_id"].partition(":")[2] for item in items] == [str(row_start)]
    (example,) = report["examples"]["meterValue must be a number, not text"]
    assert example.startswith(f"line {text[:row_start].count(chr(10)) + 1:,} (byte {row_start:,}): ")


def test_a_dry_run_reports_totals_and_counts_nothing(metering: Metering, tmp_path: Path) -> None:
    rows = build_rows(30)
    file = write_file(tmp_path / "usage.csv", build_csv(rows))
    report = metering.json("backfill", file, "--map", "tenantId=customer", "--dry-run")
    assert report["totals"] == {"api-calls": sum(row["meterValue"] for row in rows)}
    assert sandbox_of(metering.system).totals("api-calls") == {}


@pytest.mark.meters
def test_a_constant_stays_the_text_that_was_entered(metering: Metering, tmp_path: Path) -> None:
    meter = create_meter(metering.system, "api-calls", dimensions=["version"])
    data = build_csv(build_rows(3))
    for file in (write_file(tmp_path / "a.csv", data), upload_file(metering.system, "b.csv", data)):
        options = ("--map", "tenantId=customer", "--set", "version=1.10", "--set", "meterValue=2")
        report = metering.json("backfill", file, *options)
        assert report["accepted"] == 3
        (group,) = Api(metering.system).call("GET", f"usage/{meter['id']}?groupBy=version").body["data"]["clientMeters"]
        assert (group["group"]["groupInfo"], group["groupValue"]) == ({"version": "1.10"}, 6)


@pytest.mark.parametrize(
    ("interruption", "message"),
    [(signal.SIGKILL, ""), (signal.SIGINT, "Interrupted. Repeat the command; it resumes where it stopped")],
    ids=["killed", "Ctrl+C"],
)
def test_an_interrupted_backfill_resumes(
    metering: Metering, tmp_path: Path, interruption: signal.Signals, message: str
) -> None:
    rows = build_rows(4_000)
    file = write_file(tmp_path / "usage.csv", build_csv(rows))
    command = metering.command("backfill", file, "--map", "tenantId=customer")
    pipes: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=metering.environment, **pipes) as process:
        assert wait_until(lambda: list((tmp_path / "home" / "backfills").glob("*.json")) != [])
        os.kill(process.pid, interruption)
        assert message in process.communicate()[1]
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
    assert read_totals(metering) == compute_totals(rows)
    assert list((tmp_path / "home" / "backfills").glob("*.json")) == []


def test_a_backfill_that_fails_resumes_after_the_fault(metering: Metering, tmp_path: Path) -> None:
    rows = build_rows(250)
    file = write_file(tmp_path / "usage.csv", build_csv(rows))
    sandbox_of(metering.system).set_faults([{"kind": "accept_then_drop", "path": "/ingest"}])
    done = metering("backfill", file, "--map", "tenantId=customer")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert "resumes where it stopped" in done.stderr
    sandbox_of(metering.system).clear_faults()
    assert metering("backfill", file, "--map", "tenantId=customer").returncode == 0
    assert read_totals(metering) == compute_totals(rows)


def test_a_file_is_read_in_ranges_and_each_row_counts_once(metering: Metering) -> None:
    rows = build_rows(6_500, region="x" * 60)
    url = upload_file(metering.system, "large.csv", build_csv(rows))
    report = metering.json("backfill", url, "--map", "tenantId=customer")
    assert (report["accepted"], report["rejected"], report["ranges"]) == (6_500, 0, 3)
    assert read_totals(metering) == compute_totals(rows)


def test_a_range_that_fails_fails_the_backfill_and_repeating_it_succeeds(metering: Metering) -> None:
    rows = build_rows(300)
    url = upload_file(metering.system, "failing.csv", build_csv(rows))
    sandbox_of(metering.system).set_faults([{"kind": "status", "status": 404, "path": "/ingest"}])
    done = metering("backfill", url, "--map", "tenantId=customer")
    assert done.returncode == 1
    assert "BackfillIncomplete: Some ranges failed" in done.stderr
    sandbox_of(metering.system).clear_faults()
    assert metering("backfill", url, "--map", "tenantId=customer").returncode == 0
    assert read_totals(metering) == compute_totals(rows)
