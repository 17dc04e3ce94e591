import csv
import json
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
import requests
from typer.testing import CliRunner

from amberflo_workflows.cli.main import app
from amberflo_workflows.core.usage_record import build_record
from amberflo_workflows.local.system import SECRET, System
from tests.cli.local_metering import LocalMetering, count_usages, create_meter
from tests.conftest import sandbox_of

pytestmark = pytest.mark.emulator

HOSTILE = "[red]ini[/red]\x1b[31m"
HARMLESS = r"[red]ini[/red]\x1b[31m"
FIRST, SECOND = ((int(time.time()) // 3600 - hours) * 3600 for hours in (3, 2))


@pytest.fixture
def metering(system: System, tmp_path: Path) -> LocalMetering:
    create_meter(system, "api-calls", dimensions=["region"])
    return LocalMetering.of(system, tmp_path / "home")


@pytest.fixture
def metering_with_usage(metering: LocalMetering) -> LocalMetering:
    """The command line of a system with usage."""
    usages = [
        ("acme", FIRST, 3, "eu"),
        ("acme", SECOND, 5.5, "us"),
        ("acme", SECOND, 11.5, "eu"),
        ("globex", SECOND, 5, "eu"),
    ]
    count_usages(metering.system, [_usage(f"usage-{place}", *usage) for place, usage in enumerate(usages)])
    _count_in_sandbox(metering.system, _usage("usage-4", HOSTILE, FIRST, 0.25, "us"))
    return metering


def _count_in_sandbox(system: System, usage: dict[str, Any]) -> None:
    """Count a usage in the sandbox that our API would reject."""
    secret = system.client("secretsmanager").get_secret_value(SecretId=SECRET)["SecretString"]
    record = msgspec.json.encode([build_record(usage, event_id="", event_time="")])
    headers = {"X-API-KEY": json.loads(secret)["apiKey"]}
    assert requests.post(f"{system.amberflo_url}/ingest", data=record, headers=headers, timeout=10).ok


def _usage(unique_id: str, tenant: str, at: int, value: float, region: str) -> dict[str, Any]:
    usage = {"tenantId": tenant, "meterApiName": "api-calls", "meterValue": value, "region": region}
    return {**usage, "meterTimeInMillis": at * 1000 + 500, "uniqueId": unique_id}


def _format_hour(start: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(start))


def _totals(system: System) -> dict[str, float]:
    return sandbox_of(system).totals("api-calls")


def test_fetch_prints_usage_by_group_and_interval_and_totals(metering_with_usage: LocalMetering) -> None:
    done = metering_with_usage(
        "usage", "fetch", "api-calls", "--group-by", "customerId", "--interval", "hour", "--last", "5h"
    )
    title, header, *rows = (" ".join(line.split()) for line in done.stdout.splitlines())
    assert title.startswith("api-calls from ")
    assert header == "customerId hour usage"
    assert rows == [
        f"acme {_format_hour(FIRST)} 3",
        f"acme {_format_hour(SECOND)} 17",
        "acme total 20",
        f"globex {_format_hour(SECOND)} 5",
        "globex total 5",
        f"{HARMLESS} {_format_hour(FIRST)} 0.25",
        f"{HARMLESS} total 0.25",
        "total of these 25.25",
    ]


def test_fetch_prints_csv(metering_with_usage: LocalMetering) -> None:
    done = metering_with_usage("usage", "fetch", "api-calls", "--group-by", "customerId", "--csv")
    header, *rows = csv.reader(done.stdout.splitlines())
    assert header == ["customerId", "startTime", "startTimeInSeconds", "value"]
    report = metering_with_usage.json("usage", "fetch", "api-calls", "--group-by", "customerId")
    for group in report["groups"]:
        values = [float(row[3]) for row in rows if row[0] == group["group"]["customerId"]]
        assert sum(values) == pytest.approx(group["total"])
    done = metering_with_usage("usage", "fetch", "api-calls", "--csv", "--json")
    assert (done.returncode, "use --json or --csv, not both" in done.stderr) == (2, True)


def test_list_shows_the_total_of_each_meter(metering_with_usage: LocalMetering) -> None:
    create_meter(metering_with_usage.system, "unused")
    done = metering_with_usage("usage", "list")
    assert [line.split()[-1] for line in done.stdout.splitlines() if line.startswith(("api-calls", "unused"))] == [
        "25.25",
        "0",
    ]
    options = ("usage", "list", "--tenant", "acme", "--from", str(SECOND))
    totals = {
        usage["meter"]["meterApiName"]: usage["groups"][0]["total"] for usage in metering_with_usage.json(*options)
    }
    assert totals == {"api-calls": 17, "unused": 0}
    done = metering_with_usage(*options, "--csv")
    assert done.stdout.splitlines() == ["meterApiName,total", "api-calls,17.0", "unused,0.0"]


def test_list_without_meters_says_how_to_create_one(system: System, tmp_path: Path) -> None:
    done = LocalMetering.of(system, tmp_path / "home")("usage", "list")
    assert "There are no meters. Create one with: metering meters create" in done.stdout


def test_json_has_all_intervals_and_the_query(metering_with_usage: LocalMetering) -> None:
    time_range = ("--from", str(FIRST), "--to", str(SECOND + 3600), "--interval", "hour")
    # The filter excludes other tenants, and --take acme's usage in the other region.
    regions = [part for region in ("eu", "xx", "us") for part in ("--filter", f"region={region}")]
    filters = ("--group-by", "customerId,region", "--tenant", "acme", "--take", "1", *regions)
    output = metering_with_usage.json("usage", "chart", "api-calls", *time_range, *filters)
    assert (output["meter"]["meterApiName"], output["meter"]["meterType"]) == ("api-calls", "sum_of_all_usage")
    assert (output["startTimeInSeconds"], output["endTimeInSeconds"]) == (FIRST, SECOND + 3600)
    assert output["timeGroupingInterval"] == "HOUR"
    values = [{"startTimeInSeconds": FIRST, "value": 3}, {"startTimeInSeconds": SECOND, "value": 11.5}]
    assert output["groups"] == [{"group": {"customerId": "acme", "region": "eu"}, "total": 14.5, "values": values}]


def test_filters_exclude_other_values_and_tenants(metering_with_usage: LocalMetering) -> None:
    filters = ("--filter", "region=us", "--filter", "region=xx", "--tenant", "acme")
    done = metering_with_usage("usage", "fetch", "api-calls", *filters, "--interval", "month")
    assert ["total", "5.5"] in [line.split() for line in done.stdout.splitlines()]


def test_a_comma_is_part_of_a_tenant_and_of_a_filter(metering_with_usage: LocalMetering) -> None:
    usage = _usage("usage-5", "acme,globex", SECOND, 100, "eu,us")
    count_usages(metering_with_usage.system, [usage])
    for options, total in (
        (("--tenant", "acme,globex"), 100),
        (("--tenant", "acme", "--tenant", "globex"), 25),
        (("--filter", "region=eu,us"), 100),
        (("--filter", "region=eu", "--filter", "region=us", "--tenant", "globex"), 5),
    ):
        output = metering_with_usage.json("usage", "fetch", "api-calls", "--interval", "month", *options)
        assert sum(group["total"] for group in output["groups"]) == total, options


def test_chart_bars_are_proportional_and_work_in_ascii(metering_with_usage: LocalMetering) -> None:
    options = ("--group-by", "customerId", "--interval", "hour", "--from", str(FIRST), "--to", str(SECOND + 7200))
    done = metering_with_usage.run_with_input("", "usage", "chart", "api-calls", *options, PYTHONIOENCODING="ascii")
    assert [" ".join(line.split()) for line in done.stdout.splitlines()[1:]] == [
        f"{_format_hour(FIRST)} acme {'#' * 11} 3",
        f"{HARMLESS} + 0.25",
        f"{_format_hour(SECOND)} acme {'#' * 60} 17",
        f"globex {'=' * 18} 5",
        f"{_format_hour(SECOND + 3600)} 0",
    ]


def test_a_time_without_a_zone_is_local_and_a_note_says_so(metering: LocalMetering) -> None:
    options = ("usage", "fetch", "api-calls", "--from", "2025-01-31T14:30", "--interval", "month", "--json")
    done = metering.run_with_input("", *options, TZ="Asia/Kolkata")
    assert '"startTimeInSeconds": 1738314000,' in done.stdout
    note = "--from 2025-01-31T14:30 is taken as 2025-01-31T14:30:00+05:30, in the time zone of this machine.\n"
    assert done.stderr == note


def test_cancel_shows_an_estimate_of_all_tenants_usage(metering_with_usage: LocalMetering) -> None:
    options = ("usage", "cancel", "api-calls", "--from", "5h", "--to", str(int(time.time()) + 600))
    done = metering_with_usage.run_with_input("n\n", *options, "--id", "my-rule")
    assert (done.returncode, "nothing was changed" in done.stderr) == (1, True)
    assert "ALL tenants' usage of api-calls that was ingested from " in done.stdout
    assert "The range ends in the future" in done.stdout
    assert "As an estimate" in done.stdout
    assert "If a rule 'my-rule' exists, it is replaced" in done.stdout
    rows = [line.split() for line in done.stdout.splitlines()]
    assert [row for row in rows if row and row[-1] in {"20", "5", "0.25", "25.25"}] == [
        ["acme", "20"],
        ["globex", "5"],
        [HARMLESS, "0.25"],
        ["all", "tenants", "25.25"],
    ]
    assert _totals(metering_with_usage.system) != {}
    done = metering_with_usage.run_with_input("y\n", *options)
    assert (done.returncode, "Created the rule cancel-api-calls-" in done.stdout) == (0, True)
    assert _totals(metering_with_usage.system) == {}


def test_cancel_with_yes_accepts_a_range_that_ends_in_the_future(metering: LocalMetering) -> None:
    end = str(int(time.time()) + 600)
    output = metering.json("usage", "cancel", "api-calls", "--from", "1h", "--to", end, "--yes")
    assert output["rule"]["ingestionTimeRange"]["endTimeInSeconds"] == int(end)


def test_cancel_uses_the_id_of_the_option(metering: LocalMetering) -> None:
    now = int(time.time())
    output = metering.json(
        *("usage", "cancel", "api-calls", "--from", "1h", "--to", str(now - 60), "--id", "my-rule", "--yes")
    )
    time_range = output["rule"]["ingestionTimeRange"]
    assert (output["rule"]["id"], output["rule"]["meterApiName"]) == ("my-rule", "api-calls")
    assert time_range["endTimeInSeconds"] == now - 60
    assert now - 3600 <= time_range["startTimeInSeconds"] < now - 3500


def test_single_usages_are_cancelled(metering_with_usage: LocalMetering, tmp_path: Path) -> None:
    file = tmp_path / "usages.ndjson"
    usages = [_usage("usage-0", "acme", FIRST, 3, "eu"), _usage("usage-4", HOSTILE, FIRST, 0.25, "us")]
    file.write_text("".join(json.dumps(usage) + "\n" for usage in usages))
    done = metering_with_usage.run_with_input("y\n", "usage", "cancel", "--records", str(file))
    assert (done.returncode, "Cancelled 2 usages." in done.stdout) == (0, True), done
    assert ["api-calls", HARMLESS, "0.25"] in [line.split() for line in done.stdout.splitlines()]
    assert _totals(metering_with_usage.system) == {"acme": 17, "globex": 5}
    output = metering_with_usage.json("usage", "cancel", "--records", str(file), "--yes")
    assert output == {"cancelled": ["usage-0", "usage-4"]}


def test_a_cancellation_without_a_match_says_so(metering_with_usage: LocalMetering, tmp_path: Path) -> None:
    file = tmp_path / "usages.ndjson"
    never_counted = [
        _usage("usage-9", "acme", FIRST, 3, "eu"),
        _usage("usage-0", "acme", FIRST, 3, "us"),
        _usage("usage-0", "initech", FIRST, 7, "eu"),
        _usage("usage-3", "globex", SECOND, 5, "eu") | {"meterApiName": "no-such-meter"},
    ]
    counted = _usage("usage-3", "globex", SECOND, 5, "eu")
    file.write_text("".join(json.dumps(usage) + "\n" for usage in never_counted))
    done = metering_with_usage("usage", "cancel", "--records", str(file), "--yes")
    assert (done.returncode, "Cancelled" in done.stdout, "nothing matched" in done.stdout) == (0, False, True), done
    assert "Sent the cancellation of 4 usages" in done.stdout
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["api-calls", "acme", "6", "20", "20"] in rows
    assert ["api-calls", "initech", "7", "0", "0"] in rows
    assert ["no-such-meter", "globex", "5", "0", "0"] in rows
    file.write_text("".join(json.dumps(usage) + "\n" for usage in (never_counted[0], counted)))
    done = metering_with_usage("usage", "cancel", "--records", str(file), "--yes")
    assert "No total changed" not in done.stdout
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["api-calls", "acme", "3", "20", "20"] in rows
    assert ["api-calls", "globex", "5", "5", "0"] not in rows


def test_a_cancellation_that_fails_reports_its_progress(metering: LocalMetering, tmp_path: Path) -> None:
    file = tmp_path / "usages.json"
    file.write_text(json.dumps([_usage(f"new-{number}", "acme", FIRST, 1, "eu") for number in range(150)]))
    sandbox_of(metering.system).set_faults([{"kind": "status", "status": 404, "path": "/ingest", "skip": 1}])
    done = metering("usage", "cancel", "--records", str(file), "--yes")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done
    assert "100 of 150 are cancelled. Repeat the command to cancel them all." in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("fetch", "m", "--from", "2h", "--last", "1h"), 2, "--from and --last both set the start"),
        (("fetch", "m", "--to", "yesterday"), 2, "--to: 'yesterday' is not a valid time. Use ISO 8601"),
        (("fetch", "m", "--last", HOSTILE), 2, f"--last: '{HARMLESS}' is not a valid duration"),
        (("fetch", "m", "--from", ""), 2, "--from: '' is not a valid time"),
        (("fetch", "m", "--to", ""), 2, "--to: '' is not a valid time"),
        (("fetch", "m", "--last", ""), 2, "--last: '' is not a valid duration"),
        (("list", "--tenant", ""), 2, "--tenant is empty; set a value, or omit the option"),
        (("list", "--last", "1x"), 2, "--last: '1x' is not a valid duration"),
        (("chart", "m", "--filter", "region"), 2, "--filter must be KEY=VALUE, not 'region'"),
        (("chart", "m", "--filter", "a=1", "--filter", "a= "), 2, "--filter must be KEY=VALUE, not 'a= '"),
        (("fetch", "m", "--tenant", ""), 2, "--tenant is empty; set a value, or omit the option"),
        (("fetch", "m", "--tenant", "acme", "--tenant", " "), 2, "--tenant is empty"),
        (("cancel", "m", "--from", "2h"), 2, "METER --from TIME --to TIME, or --records FILE, is required"),
        (("cancel", "m", "--records", "file"), 2, "--records cannot be used with METER"),
        (("cancel", "m", "--from", "1h", "--to", "2h"), 2, "--from must be before --to"),
        (("cancel", "m", "--from", "2h", "--to", "1h", "--json"), 2, "--json requires --yes"),
        (("cancel", "--records", "no-such-file"), 1, "no-such-file cannot be read"),
    ],
)
def test_invalid_arguments_are_one_line(tmp_path: Path, arguments: tuple[str, ...], code: int, message: str) -> None:
    done = CliRunner().invoke(app, ["usage", *arguments], env={"METERING_HOME": str(tmp_path)})
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (code, "", 1), done
    assert message in done.stderr
