"""Usage under a meter that does not exist, by every way in: it is in the rejected table, and counts after a fix."""

import json
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from amberflo_workflows.local import system as systems
from amberflo_workflows.local.system import System
from tests.attackers.deliveries import deliver, event
from tests.cli.local_metering import LocalMetering
from tests.cli.metering import Metering
from tests.cli.test_main import Shell
from tests.conftest import sandbox_of
from tests.entrypoints.calls import Api

pytestmark = [pytest.mark.emulator, pytest.mark.meters("api-calls", "storage")]

REASON = (
    "there is no meter 'api-cals'; did you mean 'api-calls'? Create the meter, or redrive with --set meterApiName=NAME"
)


@pytest.fixture
def metering(system: System, tmp_path: Path) -> Metering:
    return Metering(system, tmp_path / "home")


@pytest.fixture
def tenant() -> str:
    return f"tenant-{uuid.uuid4()}"


def _usage(tenant: str, name: str = "api-cals") -> dict[str, Any]:
    return {"tenantId": tenant, "meterApiName": name, "meterValue": 3, "meterTimeInMillis": int(time.time() * 1000)}


def _call_with_one(metering: Metering, tenant: str, _: Path) -> None:
    data = Api(metering.system).call("POST", "ingest", _usage(tenant)).body["data"]
    assert (data["accepted"], data["rejected"][0]["reason"]) == (0, REASON)


def _call_with_records(metering: Metering, tenant: str, _: Path) -> None:
    records = [_usage(tenant, "storage"), _usage(tenant), _usage(tenant, "storage")]
    data = Api(metering.system).call("POST", "ingest", {"records": records}).body["data"]
    assert (data["accepted"], [usage["index"] for usage in data["rejected"]]) == (2, [1])


def _deliver_event(metering: Metering, tenant: str, _: Path) -> None:
    assert deliver(metering.system, event(json.dumps(_usage(tenant)))) == []


def _backfill_ndjson(metering: Metering, tenant: str, folder: Path) -> None:
    file = folder / f"{tenant}.ndjson"
    file.write_text(json.dumps(_usage(tenant)) + "\n")
    assert "there is no meter 'api-cals'" in metering("backfill", str(file)).stdout


def _backfill_csv_on_s3(metering: Metering, tenant: str, _: Path) -> None:
    usage, bucket = _usage(tenant), metering.system.outputs["BackfillBucketName"]
    body = f"{','.join(usage)}\n{','.join(map(str, usage.values()))}\n".encode()
    metering.system.client("s3").put_object(Bucket=bucket, Key=f"{tenant}.csv", Body=body)
    assert "0 counted, 1 rejected" in metering("backfill", f"s3://{bucket}/{tenant}.csv").stdout


WAYS_IN = [_call_with_one, _call_with_records, _deliver_event, _backfill_ndjson, _backfill_csv_on_s3]


@pytest.mark.parametrize("send", WAYS_IN)
def test_it_is_rejected_and_counts_after_a_redrive(
    metering: Metering, tenant: str, tmp_path: Path, send: Callable[[Metering, str, Path], None]
) -> None:
    send(metering, tenant, tmp_path)
    (item,) = metering.json("rejected", "list", "--tenant", tenant)
    assert (item["meter_api_name"], item["reason"]) == ("api-cals", REASON)
    assert sandbox_of(metering.system).totals("api-cals") == {}
    # It stays there until it is fixed.
    assert metering("rejected", "redrive", "--tenant", tenant).returncode == 1
    done = metering("rejected", "redrive", "--meter", "api-cals", "--tenant", tenant, "--set", "meterApiName=api-calls")
    assert done.returncode == 0, done
    assert sandbox_of(metering.system).totals("api-calls") == {tenant: 3}


def test_it_counts_after_the_meter_is_created(metering: Metering, tenant: str) -> None:
    name = f"late-{uuid.uuid4()}"
    assert Api(metering.system).call("POST", "ingest", _usage(tenant, name)).body["data"]["accepted"] == 0
    metering.json("meters", "create", name, "--name", name, "--type", "sum_of_all_usage")
    assert metering("rejected", "redrive", "--tenant", tenant).returncode == 0
    assert sandbox_of(metering.system).totals(name) == {tenant: 3}


def _write_usages(folder: Path) -> str:
    file = folder / "usage.ndjson"
    names = ("api-calls", "api-cals", "storage", "api-cals")
    file.write_text("".join(json.dumps(_usage("t", name)) + "\n" for name in names))
    return str(file)


def test_a_dry_run_checks_the_names(metering: Metering, tmp_path: Path) -> None:
    report = json.loads(metering("backfill", _write_usages(tmp_path), "--dry-run", "--json").stdout)
    assert (report["accepted"], report["reasons"]) == (2, {REASON: 2})
    assert report["totals"] == {"api-calls": 3, "storage": 3}
    assert "warnings" not in report


def test_a_dry_run_checks_the_names_on_the_local_system(system: System, tmp_path: Path) -> None:
    metering = LocalMetering.of(system, tmp_path / "home")
    report = json.loads(metering("backfill", _write_usages(tmp_path), "--dry-run", "--json").stdout)
    assert report["reasons"] == {REASON: 2}


def test_a_dry_run_without_a_deployment_says_that_names_were_not_checked(system: System, tmp_path: Path) -> None:
    metering = LocalMetering(system, tmp_path / "empty")
    done = metering("backfill", _write_usages(tmp_path), "--dry-run")
    assert done.returncode == 0, done
    assert "4 would be counted, 0 rejected." in done.stdout
    assert "The names of the meters were not checked: nothing is running here." in " ".join(done.stdout.split())


def test_a_dry_run_without_access_says_that_names_were_not_checked(metering: Metering, tmp_path: Path) -> None:
    command = ("backfill", _write_usages(tmp_path), "--dry-run", "--json")
    report = json.loads(metering.run_with_input("", *command, ACCESS_TOKEN="invalid").stdout)
    assert report["accepted"] == 4
    assert "The names of the meters were not checked: The API responded with 401" in report["warnings"][0]


def test_a_system_without_the_check_accepts_any_name(tmp_path: Path) -> None:
    shell = Shell(tmp_path / "home")
    try:
        started = shell("up", "--no-check-meter-names", "--json")
        assert started.returncode == 0, started.stderr
        system = systems.find_running(shell.home)
        assert system
        assert Api(system).call("POST", "ingest", _usage("t", "later")).body["data"]["accepted"] == 1
        assert sandbox_of(system).totals("later") == {"t": 3}
        report = json.loads(shell("backfill", _write_usages(tmp_path), "--dry-run", "--json").stdout)
        assert report["accepted"] == 4
        assert "the deployment accepts usage under any name" in report["warnings"][0]
    finally:
        shell("down")
