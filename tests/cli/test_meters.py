import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from amberflo_workflows.cli.main import app
from amberflo_workflows.local.system import System
from tests.cli.local_metering import LocalMetering, make_meter
from tests.cli.metering import Metering
from tests.conftest import sandbox_of
from tests.entrypoints.calls import Api

pytestmark = pytest.mark.emulator

HOSTILE = "[red]Calls[/red] :bomb: \x1b[31m\x9b2J\u202e\n"
HARMLESS = r"[red]Calls[/red] :bomb: \x1b[31m\x9b2J\u202e\n"


@pytest.fixture
def metering(system: System, tmp_path: Path) -> LocalMetering:
    return LocalMetering.of(system, tmp_path / "home")


def test_a_meter_is_created_and_found_by_its_id_and_its_name(metering: LocalMetering) -> None:
    given = ("Users", "--name", "users", "--type", "active_users", "--description", "who came")
    dimensions = ("--dimension", "region", "--dimension", "plan", "--aggregation-dimension", "region")
    made = metering.json("meters", "create", *given, *dimensions)
    wanted = {
        "label": "Users",
        "meterApiName": "users",
        "meterType": "active_users",
        "description": "who came",
        "dimensions": ["region", "plan"],
        "aggregationDimensions": ["region"],
    }
    assert made.items() >= wanted.items()
    # The id of the one is the name of the other.
    make_meter(metering.system, made["id"])
    assert metering.json("meters", "show", "users") == metering.json("meters", "show", made["id"]) == made


def _names(system: System) -> list[str]:
    return [meter["meterApiName"] for meter in Api(system).call("GET", "meters").body["data"]]


def test_a_meter_is_deleted_when_that_is_answered_with_yes(metering: LocalMetering) -> None:
    meter = make_meter(metering.system, "api-calls")
    done = metering.typed("y\n", "meters", "delete", "api-calls")
    assert f"Delete the meter api-calls (api-calls, id {meter['id']})? This cannot be undone" in done.stderr
    assert (done.returncode, "Deleted api-calls" in done.stdout) == (0, True), done
    assert "metering meters create" in metering("meters", "list").stdout


def test_a_program_deletes_without_being_asked(metering: LocalMetering) -> None:
    meter = make_meter(metering.system, "api-calls")
    assert metering.json("meters", "delete", meter["id"], "--yes") == {"id": meter["id"], "meterApiName": "api-calls"}
    assert _names(metering.system) == []


def test_the_list_goes_on_to_its_last_page(metering: LocalMetering) -> None:
    names = [f"meter-{number:02}" for number in range(70)]
    # Seventy of ninety kilobytes each are a little more than an answer can hold.
    meters = [{"id": name, "label": name, "meterApiName": name, "description": "x" * 90_000} for name in names]
    sandbox_of(metering.system).set_faults([{"kind": "status", "status": 200, "body": json.dumps(meters)}])
    assert Api(metering.system).call("GET", "meters").body["next_token"]
    assert [meter["meterApiName"] for meter in metering.json("meters", "list")] == names


def test_hostile_text_is_printed_as_it_is_and_steers_nothing(metering: LocalMetering) -> None:
    make_meter(metering.system, "api-calls", label=HOSTILE)
    listed = metering("meters", "list").stdout
    assert (f" {HARMLESS} " in listed, listed.replace("\n", "").isprintable()) == (True, True)
    # Nobody is there to answer.
    done = metering.typed("", "meters", "delete", "api-calls")
    assert (done.returncode, f"({HARMLESS}, id" in done.stderr, "--yes" in done.stderr) == (2, True, True)
    assert _names(metering.system) == ["api-calls"]


def test_what_the_api_refuses_is_one_line_with_the_way_on(metering: LocalMetering) -> None:
    create = ("meters", "create", "Calls", "--type", "sum_of_all_usage", "--name")
    refused = {
        (*create, "a b"): "answered 400: The request is invalid. meterApiName: ",
        ("meters", "show", "nope"): "answered 404: The meter 'nope' was not found. There is none with that name",
    }
    for arguments, message in refused.items():
        done = metering(*arguments)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done
        assert message in done.stderr
        assert " See: metering executions show arn:aws:states:" in done.stderr


def test_throttling_says_when_to_try_again(metering: LocalMetering) -> None:
    sandbox_of(metering.system).set_faults([{"kind": "status", "status": 429}])
    done = metering("meters", "list")
    assert (done.returncode, "answered 503: " in done.stderr, "Try again in 10 s." in done.stderr) == (1, True, True)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("meters", "list"), 3, "nothing is running here; start it with: metering up"),
        (("usage", "fetch", "api-calls"), 3, "start it with: metering up"),
        (("usage", "cancel", "api-calls", "--from", "2h", "--to", "1h", "--yes"), 3, "start it with: metering up"),
        (("events", "send", "--detail", "{}"), 3, "start it with: metering up"),
        (("meters", "delete", "api-calls", "--json"), 2, "--json requires --yes"),
    ],
)
def test_what_cannot_be_begun_is_said_in_one_line(
    tmp_path: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    done = CliRunner().invoke(app, arguments, env={"METERING_HOME": str(tmp_path)})
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (code, "", 1), done
    assert message in done.stderr


def test_on_aws_the_stack_tells_where_the_api_is_and_its_pool_gives_the_token(system: System, tmp_path: Path) -> None:
    metering = Metering(system, tmp_path)
    done = metering("meters", "show", "nope")
    assert (done.returncode, "answered 404" in done.stderr) == (1, True)
    assert " See: metering --stack AmberfloMetering executions show arn:" in done.stderr
    environment = {**metering.environment, "ACCESS_TOKEN": "not-a-token"}
    command = metering.command("meters", "list")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, "answered 401" in done.stderr, "set a fresh one" in done.stderr) == (1, True, True)


@pytest.mark.parametrize(
    ("typed", "completions"),
    [
        ("metering meters create --type ", "sum_of_all_usage active_users event_duration"),
        ("metering usage chart --interval ", "hour day week month"),
        ("metering events send --type ", "ingestUsage onboardingRequest offboardingRequest"),
    ],
)
def test_the_shell_completes_words(tmp_path: Path, typed: str, completions: str) -> None:
    asked = {"_METERING_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(len(typed.split()))}
    environment = {"PATH": os.environ["PATH"], "METERING_HOME": str(tmp_path), **asked}
    command = [str(Path(sys.executable).with_name("metering"))]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split()[: len(completions.split())] == completions.split()
