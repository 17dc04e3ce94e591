"""Options of ``metering backfill`` and of the workflow ``backfill_usage``, on files as their owners have them."""

import csv
import io
import json
import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from amberflo_workflows.local.system import System
from tests.cli.backfill_files import run_backfill, upload_file, write_file
from tests.cli.metering import Metering
from tests.conftest import sandbox_of

pytestmark = [pytest.mark.emulator, pytest.mark.meters("m", "input-tokens", "output-tokens", "hours", "in", "out")]


@pytest.fixture
def metering(system: System, tmp_path: Path) -> Metering:
    return Metering(system, tmp_path / "home")


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
    file = upload_file(metering.system, name, text) if place == "s3" else write_file(tmp_path / name, text)
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
        lines = f"{','.join(row)}\n{','.join(map(str, row.values()))}\n"
        files = [
            write_file(tmp_path / f"{number}.ndjson", json.dumps(row)),
            write_file(tmp_path / f"{number}.csv", lines),
        ]
        # The workflow reads rows with the same code, so once with and once without options will do.
        if number in {0, len(forms) - 1}:
            files.append(upload_file(metering.system, f"{number}.ndjson", json.dumps(row)))
        for file in files:
            assert metering.json("backfill", file, *options)["accepted"] == 1
    # The first one has no fraction.
    assert sandbox_of(metering.system).totals("m") == {"acme": 2}


def test_a_dry_run_says_how_times_were_read(metering: Metering, tmp_path: Path) -> None:
    now = int(time.time())
    lines = [f"acme,m,1,{now}", f"acme,m,1,{now}000", f"acme,m,1,{now - 5}", "acme,m,1,", "acme,m,1,soon"]
    file = write_file(tmp_path / "t.csv", "\n".join(["tenantId,meterApiName,meterValue,time", *lines]))
    done = metering("backfill", file, "--dry-run")
    assert "2 times were read as epoch seconds" in done.stdout
    assert "1 times were read as epoch milliseconds" in done.stdout
    report = json.loads(metering("backfill", file, "--dry-run", "--json").stdout)
    assert report["times"] == {"epoch seconds": 2, "epoch milliseconds": 1}
    assert (report["accepted"], report["rejected"]) == (3, 2)


def test_the_workflow_reads_times_by_its_own_input(metering: Metering) -> None:
    today = f"{datetime.now(UTC):%m/%d/%Y}"
    upload_file(metering.system, "days.csv", f"tenantId,meterApiName,meterValue,time\nacme,m,3,{today}\n")
    zoned = {"timeFormat": "%m/%d/%Y", "timeZone": "Pacific/Kiritimati"}
    assert run_backfill(metering.system, key="days.csv", **zoned)["body"]["data"]["accepted"] == 1
    response = run_backfill(metering.system, key="days.csv", timeZone="Nowhere")
    assert (response["statusCode"], "no time zone 'Nowhere'" in response["body"]["message"]) == (400, True)
    assert _count_records(metering) == 1


def _write_table(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _traces() -> str:
    """Rows in the form of the Azure LLM inference trace: no zone, seven digits of a second, two meters."""
    start = datetime.now(UTC) - timedelta(hours=2)
    rows = [(41, 1001), (397, 12), (880, 55), (92, 16)]
    return _write_table(
        [
            {
                "TIMESTAMP": f"{start + timedelta(seconds=n):%Y-%m-%d %H:%M:%S}.{6805900 + n}",
                "ContextTokens": tokens,
                "GeneratedTokens": generated,
            }
            for n, (tokens, generated) in enumerate(rows)
        ]
    )


@pytest.mark.parametrize("place", ["local", "s3"])
def test_a_trace_of_a_language_model_is_the_usage_of_two_meters(metering: Metering, tmp_path: Path, place: str) -> None:
    text = _traces()
    file = upload_file(metering.system, "t.csv", text) if place == "s3" else write_file(tmp_path / "t.csv", text)
    options = ["--map", "time=TIMESTAMP", "--set", "tenantId=acme"]
    options += ["--meter", "input-tokens=ContextTokens", "--meter", "output-tokens=GeneratedTokens"]
    report = metering.json("backfill", file, *options, "--dry-run")
    assert report["totals"] == {"input-tokens": 1410, "output-tokens": 1084}
    assert report["times"] == {"ISO 8601, without a zone: UTC": 4}
    for _ in range(2):
        assert metering.json("backfill", file, *options)["accepted"] == 8
        assert sandbox_of(metering.system).totals("input-tokens") == {"acme": 1410}
        assert sandbox_of(metering.system).totals("output-tokens") == {"acme": 1084}


@pytest.mark.parametrize("place", ["local", "s3"])
def test_a_cost_export_is_read_with_its_days_and_long_columns(metering: Metering, tmp_path: Path, place: str) -> None:
    """Columns as in an enterprise agreement's cost export: days in American order, many columns, long JSON."""
    days = [datetime.now(UTC) - timedelta(days=n) for n in (1, 2, 3)]
    text = _write_table(
        [
            {
                "InvoiceSectionName": "Engineering",
                "SubscriptionName": f"team-{number}",
                "Date": f"{day:%m/%d/%Y}",
                "MeterCategory": "Virtual Machines",
                "Quantity": 23.5 + number,
                "ResourceId": f"/subscriptions/0000/resourceGroups/{'group' * 60}/vm{number}",
                "Tags": '"env": "prod","owner": "someone"',
                "AdditionalInfo": json.dumps({"UsageType": "ComputeHR", "note": "x, y" * 80}),
            }
            for number, day in enumerate(days)
        ]
    )
    file = upload_file(metering.system, "cost.csv", text) if place == "s3" else write_file(tmp_path / "cost.csv", text)
    options = ["--map", "tenantId=SubscriptionName", "--map", "time=Date", "--map", "meterValue=Quantity"]
    options += ["--set", "meterApiName=hours", "--time-format", "%m/%d/%Y", "--time-zone", "America/Chicago"]
    done = metering("backfill", file, *options, "--dry-run", "--json")
    reasons = json.loads(done.stdout)["reasons"]
    # Two columns are too long, and each row is rejected for the first in alphabetical order.
    assert reasons == {"the dimension 'AdditionalInfo' has too many characters, at most 200 are allowed": 3}
    for choice in (("--only", "MeterCategory"), ("--long-dimensions", "cut"), ("--long-dimensions", "drop")):
        report = metering.json("backfill", file, *options, *choice, "--dry-run")
        assert (report["totals"], report["rejected"]) == ({"hours": 73.5}, 0)
    assert metering.json("backfill", file, *options, "--only", "MeterCategory")["accepted"] == 3
    expected = {f"team-{number}": 23.5 + number for number in range(3)}
    assert sandbox_of(metering.system).totals("hours") == expected


def _chats() -> list[dict[str, Any]]:
    start = int(time.time()) - 600
    return [
        {
            "request_id": f"req-{number}",
            "created": start + number + 0.25,
            "user": {"org": f"org-{number % 2}", "email": "someone@example.com"},
            "model": "small",
            "message": {"content": "text " * 90, "usage": {"input_tokens": 10 + number, "output_tokens": number}},
        }
        for number in range(6)
    ]


CHAT_REQUEST: dict[str, Any] = {
    "columns": {"tenantId": "user.org", "time": "created", "uniqueId": "request_id"},
    "meters": {"in": "message.usage.input_tokens", "out": "message.usage.output_tokens"},
    "only": ["model"],
}


@pytest.mark.parametrize("place", ["local", "s3", "workflow"])
def test_a_chat_log_is_counted_by_its_nested_tokens(metering: Metering, tmp_path: Path, place: str) -> None:
    text = "\n".join(map(json.dumps, _chats()))
    options = [part for pair in CHAT_REQUEST["columns"].items() for part in ("--map", "=".join(pair))]
    options += [part for pair in CHAT_REQUEST["meters"].items() for part in ("--meter", "=".join(pair))]
    url = upload_file(metering.system, "chats.ndjson", text)
    if place == "workflow":
        response = run_backfill(metering.system, key="chats.ndjson", longDimensions="cut", **CHAT_REQUEST)
        assert response["body"]["data"]["accepted"] == 12
    else:
        file = url if place == "s3" else write_file(tmp_path / "chats.ndjson", text)
        assert metering.json("backfill", file, *options, "--only", "model")["accepted"] == 12
    assert sandbox_of(metering.system).totals("in") == {"org-0": 36, "org-1": 39}
    assert sandbox_of(metering.system).totals("out") == {"org-0": 6, "org-1": 9}


def test_a_member_that_no_row_has_is_one_sentence_in_every_way(metering: Metering, tmp_path: Path) -> None:
    text = "\n".join(map(json.dumps, _chats()))
    message = "None of the first 6 rows has the member 'user.organisation' (--map tenantId=user.organisation)."
    file, url = write_file(tmp_path / "chats.ndjson", text), upload_file(metering.system, "chats.ndjson", text)
    for arguments in ((file,), (file, "--dry-run"), (url,)):
        done = metering("backfill", *arguments, "--map", "tenantId=user.organisation")
        assert (done.returncode, done.stderr.count("\n"), message in done.stderr) == (1, 1, True), done.stderr
    response = run_backfill(metering.system, key="chats.ndjson", columns={"tenantId": "user.organisation"})
    assert (response["statusCode"], message in response["body"]["message"]) == (400, True)
    assert _count_records(metering) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--meter", "tokens"), "--meter must be METER=…, not 'tokens'"),
        (("--meter", "a=x", "--meter", "a=y"), "--meter must name each meter once"),
        (("--long-dimensions", "keep"), "'keep' is not one of 'drop', 'cut', 'refuse'"),
    ],
)
def test_an_option_that_is_not_valid_is_an_error(
    metering: Metering, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    done = metering("backfill", write_file(tmp_path / "t.csv", _traces()), *options)
    assert (done.returncode, message in done.stderr) == (2, True), done.stderr
