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
from tests.cli.local_metering import LocalMetering, count, make_meter
from tests.conftest import sandbox_of

pytestmark = pytest.mark.emulator

HOSTILE = "[red]ini[/red]\x1b[31m"
HARMLESS = r"[red]ini[/red]\x1b[31m"
FIRST, SECOND = ((int(time.time()) // 3600 - hours) * 3600 for hours in (3, 2))


@pytest.fixture
def metering(system: System, tmp_path: Path) -> LocalMetering:
    make_meter(system, "api-calls", dimensions=["region"])
    return LocalMetering.of(system, tmp_path / "home")


@pytest.fixture
def used(metering: LocalMetering) -> LocalMetering:
    """There is usage."""
    counted = [
        ("acme", FIRST, 3, "eu"),
        ("acme", SECOND, 5.5, "us"),
        ("acme", SECOND, 11.5, "eu"),
        ("globex", SECOND, 5, "eu"),
    ]
    count(metering.system, [_usage(f"usage-{place}", *usage) for place, usage in enumerate(counted)])
    _count_by_others(metering.system, _usage("usage-4", HOSTILE, FIRST, 0.25, "us"))
    return metering


def _count_by_others(system: System, usage: dict[str, Any]) -> None:
    """Have Amberflo itself count a usage that we would refuse."""
    secret = system.client("secretsmanager").get_secret_value(SecretId=SECRET)["SecretString"]
    record = msgspec.json.encode([build_record(usage, event_id="", event_time="")])
    headers = {"X-API-KEY": json.loads(secret)["apiKey"]}
    assert requests.post(f"{system.amberflo_url}/ingest", data=record, headers=headers, timeout=10).ok


def _usage(unique_id: str, tenant: str, at: int, value: float, region: str) -> dict[str, Any]:
    usage = {"tenantId": tenant, "meterApiName": "api-calls", "meterValue": value, "region": region}
    return {**usage, "meterTimeInMillis": at * 1000 + 500, "uniqueId": unique_id}


def _hour(begin: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(begin))


def _totals(system: System) -> dict[str, float]:
    return sandbox_of(system).totals("api-calls")


def test_a_table_has_what_each_group_used_in_each_interval_and_totals(used: LocalMetering) -> None:
    done = used("usage", "fetch", "api-calls", "--group-by", "customerId", "--interval", "hour", "--last", "5h")
    title, header, *rows = (" ".join(line.split()) for line in done.stdout.splitlines())
    assert title.startswith("api-calls from ")
    assert header == "customerId hour usage"
    assert rows == [
        f"acme {_hour(FIRST)} 3",
        f"acme {_hour(SECOND)} 17",
        "acme total 20",
        f"globex {_hour(SECOND)} 5",
        "globex total 5",
        f"{HARMLESS} {_hour(FIRST)} 0.25",
        f"{HARMLESS} total 0.25",
        "total of these 25.25",
    ]


def test_programs_get_every_interval_and_what_was_asked(used: LocalMetering) -> None:
    between = ("--from", str(FIRST), "--to", str(SECOND + 3600), "--interval", "hour")
    # Other tenants are filtered out, and acme's usage in the other region is not taken.
    which = ("--group-by", "customerId,region", "--filter", "region=eu,xx,us", "--tenant", "acme", "--take", "1")
    told = used.json("usage", "chart", "api-calls", *between, *which)
    assert (told["meter"]["meterApiName"], told["meter"]["meterType"]) == ("api-calls", "sum_of_all_usage")
    assert (told["startTimeInSeconds"], told["endTimeInSeconds"]) == (FIRST, SECOND + 3600)
    assert told["timeGroupingInterval"] == "HOUR"
    values = [{"startTimeInSeconds": FIRST, "value": 3}, {"startTimeInSeconds": SECOND, "value": 11.5}]
    assert told["groups"] == [{"group": {"customerId": "acme", "region": "eu"}, "total": 14.5, "values": values}]


def test_filters_leave_out_other_values_and_tenants(used: LocalMetering) -> None:
    which = ("--filter", "region=us,xx", "--tenant", "acme")
    done = used("usage", "fetch", "api-calls", *which, "--interval", "month")
    assert ["total", "5.5"] in [line.split() for line in done.stdout.splitlines()]


def test_a_chart_has_bars_as_long_as_the_usage_where_there_is_only_ascii_too(used: LocalMetering) -> None:
    asked = ("--group-by", "customerId", "--interval", "hour", "--from", str(FIRST), "--to", str(SECOND + 7200))
    done = used.typed("", "usage", "chart", "api-calls", *asked, PYTHONIOENCODING="ascii")
    assert [" ".join(line.split()) for line in done.stdout.splitlines()[1:]] == [
        f"{_hour(FIRST)} acme {'#' * 11} 3",
        f"{HARMLESS} + 0.25",
        f"{_hour(SECOND)} acme {'#' * 60} 17",
        f"globex {'=' * 18} 5",
        f"{_hour(SECOND + 3600)} 0",
    ]


def test_a_time_without_a_zone_is_said_to_be_of_this_one(metering: LocalMetering) -> None:
    asked = ("usage", "fetch", "api-calls", "--from", "2025-01-31T14:30", "--interval", "month", "--json")
    done = metering.typed("", *asked, TZ="Asia/Kolkata")
    assert '"startTimeInSeconds": 1738314000,' in done.stdout
    said = "--from 2025-01-31T14:30 is taken as 2025-01-31T14:30:00+05:30, in the time zone of this machine.\n"
    assert done.stderr == said


def test_a_cancellation_shows_whose_usage_goes_and_that_it_is_a_guess(used: LocalMetering) -> None:
    asked = ("usage", "cancel", "api-calls", "--from", "5h", "--to", str(int(time.time()) + 600))
    done = used.typed("n\n", *asked, "--id", "my-rule")
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
    assert _totals(used.system) != {}
    done = used.typed("y\n", *asked)
    assert (done.returncode, "Created the rule cancel-api-calls-" in done.stdout) == (0, True)
    assert _totals(used.system) == {}


def test_a_program_cancels_a_range_with_a_rule_of_its_own_name(metering: LocalMetering) -> None:
    now = int(time.time())
    told = metering.json(
        *("usage", "cancel", "api-calls", "--from", "1h", "--to", str(now - 60), "--id", "my-rule", "--yes")
    )
    between = told["rule"]["ingestionTimeRange"]
    assert (told["rule"]["id"], told["rule"]["meterApiName"]) == ("my-rule", "api-calls")
    assert between["endTimeInSeconds"] == now - 60
    assert now - 3600 <= between["startTimeInSeconds"] < now - 3500


def test_single_usages_are_cancelled_as_they_were_counted(used: LocalMetering, tmp_path: Path) -> None:
    file = tmp_path / "usages.ndjson"
    usages = [_usage("usage-0", "acme", FIRST, 3, "eu"), _usage("usage-4", HOSTILE, FIRST, 0.25, "us")]
    file.write_text("".join(json.dumps(usage) + "\n" for usage in usages))
    done = used.typed("y\n", "usage", "cancel", "--records", str(file))
    assert (done.returncode, "Cancelled 2 usages." in done.stdout) == (0, True), done
    assert ["api-calls", HARMLESS, "0.25"] in [line.split() for line in done.stdout.splitlines()]
    assert _totals(used.system) == {"acme": 17, "globex": 5}
    told = used.json("usage", "cancel", "--records", str(file), "--yes")
    assert told == {"cancelled": ["usage-0", "usage-4"]}


def test_a_cancellation_that_fails_half_way_says_how_far_it_came(metering: LocalMetering, tmp_path: Path) -> None:
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
        (("fetch", "m", "--to", "yesterday"), 2, "--to: 'yesterday' is no time; a time is ISO 8601"),
        (("fetch", "m", "--last", HOSTILE), 2, f"--last: '{HARMLESS}' is no span of time"),
        (("chart", "m", "--filter", "region"), 2, "--filter must be KEY=V1,V2, not 'region'"),
        (("chart", "m", "--filter", "a=1", "--filter", "a=2"), 2, "--filter a is repeated"),
        (("cancel", "m", "--from", "2h"), 2, "METER --from TIME --to TIME, or --records FILE, is required"),
        (("cancel", "m", "--records", "file"), 2, "--records cannot be used with METER"),
        (("cancel", "m", "--from", "1h", "--to", "2h"), 2, "--from must be before --to"),
        (("cancel", "m", "--from", "2h", "--to", "1h", "--json"), 2, "--json requires --yes"),
        (("cancel", "--records", "no-such-file"), 1, "no-such-file cannot be read"),
    ],
)
def test_wrong_use_is_one_line(tmp_path: Path, arguments: tuple[str, ...], code: int, message: str) -> None:
    done = CliRunner().invoke(app, ["usage", *arguments], env={"METERING_HOME": str(tmp_path)})
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (code, "", 1), done
    assert message in done.stderr
