"""Options of ``metering backfill`` and of the workflow ``backfill_usage``, on files as their owners have them."""

import json
import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from amberflo_workflows.local.system import System
from tests.cli.metering import Metering
from tests.conftest import sandbox_of
from tests.polling import wait_until

pytestmark = pytest.mark.emulator


@pytest.fixture
def metering(system: System, tmp_path: Path) -> Metering:
    return Metering(system, tmp_path / "home")


def _write(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def _upload(system: System, key: str, text: str) -> str:
    bucket = system.outputs["BackfillBucketName"]
    system.client("s3").put_object(Bucket=bucket, Key=key, Body=text.encode())
    return f"s3://{bucket}/{key}"


def _run_workflow(system: System, **request: Any) -> dict[str, Any]:
    """Start ``backfill_usage`` without the command line and return its response."""
    client, machine = system.client("stepfunctions"), system.state_machine_arns["backfill_usage"]
    text = json.dumps({"bucket": system.outputs["BackfillBucketName"], **request})
    arn = client.start_execution(stateMachineArn=machine, input=text)["executionArn"]
    assert wait_until(lambda: client.describe_execution(executionArn=arn)["status"] != "RUNNING")
    response: dict[str, Any] = json.loads(client.describe_execution(executionArn=arn)["output"])
    return response


def _count_records(metering: Metering) -> int:
    records: int = sandbox_of(metering.system).requests()["records"]
    return records


@pytest.mark.parametrize("place", ["local", "s3"])
@pytest.mark.parametrize("name", ["times.csv", "times.ndjson"])
def test_the_original_of_a_rejected_row_has_its_time(metering: Metering, tmp_path: Path, name: str, place: str) -> None:
    times = [int(time.time()), int(time.time() * 1000), "tomorrow"]
    rows = [{"tenantId": "acme", "meterApiName": "m", "meterValue": "five", "time": value} for value in times]
    lines = [",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]
    text = "\n".join(lines if name.endswith("csv") else map(json.dumps, rows))
    file = _upload(metering.system, name, text) if place == "s3" else _write(tmp_path, name, text)
    assert metering("backfill", file).returncode == 1
    items = metering.json("rejected", "list", "--reason", "must be a number")
    assert {item["original"]["eventTime"] for item in items} == {str(value) for value in times}
    # Whoever fixes the value need not look for the time in the file.
    done = metering("rejected", "redrive", *(item["id"] for item in items), "--set", "meterValue=5")
    assert "2 counted, 1 rejected again" in done.stdout
    assert "there is no time: 'tomorrow' is neither ISO 8601" in done.stdout


def test_each_form_of_a_time_is_the_same_record(metering: Metering, tmp_path: Path) -> None:
    now = int(time.time()) - 3600
    zone = timezone(timedelta(hours=-5))
    local = datetime.fromtimestamp(now, zone)
    forms: list[tuple[Any, tuple[str, ...]]] = [
        (now, ()),
        (f"{now}.123999", ()),
        (now * 1000 + 123, ()),
        (now * 1_000_000 + 123_999, ()),
        (f"{datetime.fromtimestamp(now, UTC):%Y-%m-%dT%H:%M:%S}.1239999Z", ()),
        (f"{local:%Y-%m-%d %H:%M:%S}.1239999", ("--time-zone", "-05:00")),
        (f"{local:%m/%d/%Y %H:%M:%S}.123999999", ("--time-format", "%m/%d/%Y %H:%M:%S.%f", "--time-zone", "-05:00")),
    ]
    for number, (value, options) in enumerate(forms):
        row = {"tenantId": "acme", "meterApiName": "m", "meterValue": 1, "uniqueId": "u", "time": value}
        for file in (
            _write(tmp_path, f"{number}.ndjson", json.dumps(row)),
            _write(tmp_path, f"{number}.csv", f"{','.join(row)}\n{','.join(map(str, row.values()))}\n"),
            _upload(metering.system, f"{number}.ndjson", json.dumps(row)),
        ):
            assert metering.json("backfill", file, *options)["accepted"] == 1
    # The first one has no fraction.
    assert sandbox_of(metering.system).totals("m") == {"acme": 2}


def test_a_dry_run_says_how_times_were_read(metering: Metering, tmp_path: Path) -> None:
    now = int(time.time())
    lines = [f"acme,m,1,{now}", f"acme,m,1,{now}000", f"acme,m,1,{now - 5}", "acme,m,1,", "acme,m,1,soon"]
    file = _write(tmp_path, "t.csv", "\n".join(["tenantId,meterApiName,meterValue,time", *lines]))
    done = metering("backfill", file, "--dry-run")
    assert "2 times were read as epoch seconds" in done.stdout
    assert "1 times were read as epoch milliseconds" in done.stdout
    report = json.loads(metering("backfill", file, "--dry-run", "--json").stdout)
    assert report["times"] == {"epoch seconds": 2, "epoch milliseconds": 1}
    assert (report["accepted"], report["rejected"]) == (3, 2)


def test_the_workflow_reads_times_by_its_own_input(metering: Metering) -> None:
    today = f"{datetime.now(UTC):%m/%d/%Y}"
    _upload(metering.system, "days.csv", f"tenantId,meterApiName,meterValue,time\nacme,m,3,{today}\n")
    zoned = {"timeFormat": "%m/%d/%Y", "timeZone": "Pacific/Kiritimati"}
    assert _run_workflow(metering.system, key="days.csv", **zoned)["body"]["data"]["accepted"] == 1
    response = _run_workflow(metering.system, key="days.csv", timeZone="Nowhere")
    assert (response["statusCode"], "no time zone 'Nowhere'" in response["body"]["message"]) == (400, True)
    assert _count_records(metering) == 1
