import json
import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import ANY

import pytest
from typer.testing import CliRunner

from amberflo_workflows.cli.main import app
from amberflo_workflows.local.system import System
from tests.cli.local_metering import LocalMetering, create_meter
from tests.cli.metering import Metering
from tests.conftest import sandbox_of
from tests.entrypoints.calls import Api

pytestmark = pytest.mark.emulator

HOSTILE = "[red]Calls[/red] :bomb: \x1b[31m\x9b2J\u202e\n"
HARMLESS = r"[red]Calls[/red] :bomb: \x1b[31m\x9b2J\u202e\n"


@pytest.fixture
def metering(system: System, tmp_path: Path) -> LocalMetering:
    return LocalMetering.of(system, tmp_path / "home")


def test_create_and_show_a_meter_by_id_and_by_name(metering: LocalMetering) -> None:
    options = ("Users", "--name", "users", "--type", "active_users", "--description", "who came")
    dimensions = ("--dimension", "region", "--dimension", "plan", "--aggregation-dimension", "region")
    created = metering.json("meters", "create", *options, *dimensions)
    expected = {
        "label": "Users",
        "meterApiName": "users",
        "meterType": "active_users",
        "description": "who came",
        "dimensions": ["region", "plan"],
        "aggregationDimensions": ["region"],
    }
    assert created.items() >= expected.items()
    # Another meter whose name is the id of the first.
    create_meter(metering.system, created["id"])
    assert metering.json("meters", "show", "users") == metering.json("meters", "show", created["id"]) == created


def _list_names(system: System) -> list[str]:
    return [meter["meterApiName"] for meter in Api(system).call("GET", "meters").body["data"]]


def test_delete_after_confirmation(metering: LocalMetering) -> None:
    meter = create_meter(metering.system, "api-calls")
    done = metering.run_with_input("y\n", "meters", "delete", "api-calls")
    assert f"Delete the meter api-calls (api-calls, id {meter['id']})? This cannot be undone" in done.stderr
    assert (done.returncode, "Deleted api-calls" in done.stdout) == (0, True), done
    assert "metering meters create" in metering("meters", "list").stdout


def test_delete_with_yes_does_not_ask(metering: LocalMetering) -> None:
    meter = create_meter(metering.system, "api-calls")
    assert metering.json("meters", "delete", meter["id"], "--yes") == {"id": meter["id"], "meterApiName": "api-calls"}
    assert _list_names(metering.system) == []


def test_the_list_has_all_pages(metering: LocalMetering) -> None:
    names = [f"meter-{number:02}" for number in range(70)]
    # Seventy meters of ninety kilobytes each are a little more than fits into one response.
    meters = [{"id": name, "label": name, "meterApiName": name, "description": "x" * 90_000} for name in names]
    sandbox_of(metering.system).set_faults([{"kind": "status", "status": 200, "body": json.dumps(meters)}])
    assert Api(metering.system).call("GET", "meters").body["next_token"]
    assert [meter["meterApiName"] for meter in metering.json("meters", "list")] == names


def test_control_characters_and_markup_are_escaped(metering: LocalMetering) -> None:
    create_meter(metering.system, "api-calls", label=HOSTILE)
    output = metering("meters", "list").stdout
    assert (f" {HARMLESS} " in output, output.replace("\n", "").isprintable()) == (True, True)
    # The question gets no answer.
    done = metering.run_with_input("", "meters", "delete", "api-calls")
    assert (done.returncode, f"({HARMLESS}, id" in done.stderr, "--yes" in done.stderr) == (2, True, True)
    assert _list_names(metering.system) == ["api-calls"]


def test_an_api_error_is_one_line_with_the_next_command(metering: LocalMetering) -> None:
    create_meter(metering.system, "taken")
    create = ("meters", "create", "Calls", "--type", "sum_of_all_usage", "--name")
    errors = {
        (*create, "taken"): "responded with 409: ",
        ("meters", "show", "nope"): "responded with 404: The meter 'nope' was not found. No meter has that name either",
    }
    for arguments, message in errors.items():
        done = metering(*arguments)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done
        assert message in done.stderr
        assert " See: metering executions show arn:aws:states:" in done.stderr


def test_throttling_says_when_to_retry(metering: LocalMetering) -> None:
    sandbox_of(metering.system).set_faults([{"kind": "status", "status": 429}])
    done = metering("meters", "list")
    assert (done.returncode, "responded with 503: " in done.stderr, "Retry in 10 s." in done.stderr) == (1, True, True)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("meters", "list"), 3, "; start it with: metering up"),
        (("usage", "fetch", "api-calls"), 3, "start it with: metering up"),
        (("usage", "cancel", "api-calls", "--from", "2h", "--to", "1h", "--yes"), 3, "start it with: metering up"),
        (("events", "send", "--detail", "{}"), 3, "start it with: metering up"),
        (("meters", "delete", "api-calls", "--json"), 2, "--json requires --yes"),
    ],
)
def test_a_command_that_cannot_start_is_one_line(
    tmp_path: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    done = CliRunner().invoke(app, arguments, env={"METERING_HOME": str(tmp_path)})
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (code, "", 1), done
    assert message in done.stderr


def test_the_api_and_token_of_a_stack_come_from_its_outputs(system: System, tmp_path: Path) -> None:
    metering = Metering(system, tmp_path)
    done = metering("meters", "show", "nope")
    assert (done.returncode, "responded with 404" in done.stderr) == (1, True)
    assert " See: metering --stack AmberfloMetering executions show arn:" in done.stderr
    done = metering.run_with_input("", "meters", "list", ACCESS_TOKEN="not-a-token")
    assert (done.returncode, "responded with 401" in done.stderr, "set a new one" in done.stderr) == (1, True, True)


@pytest.mark.parametrize(
    ("typed", "completions"),
    [
        ("metering ", "up down status env token logs console meters"),
        ("metering executions ", "list show follow start"),
        ("metering meters create --type ", "sum_of_all_usage active_users event_duration"),
        ("metering executions start ", "create_meter list_meters get_meter"),
        ("metering executions list --workflow ingest", "ingest_usage"),
        ("metering meters show ", ""),
        ("metering executions show ", ""),
        ("metering usage chart --interval ", "hour day week month"),
        ("metering fault set ", "status delay drop hang trickle"),
        ("metering events send --type ", "ingestUsage onboardingRequest offboardingRequest"),
    ],
)
def test_shell_completion(tmp_path: Path, typed: str, completions: str) -> None:
    variables = {
        "_METERING_COMPLETE": "complete_bash",
        "COMP_WORDS": typed,
        "COMP_CWORD": str(len(typed.split(" ")) - 1),
    }
    environment = {"PATH": os.environ["PATH"], "METERING_HOME": str(tmp_path), **variables}
    command = [str(Path(sys.executable).with_name("metering"))]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split()[: len(completions.split())] == completions.split()


def test_update_changes_only_what_has_an_option(metering: LocalMetering) -> None:
    meter = create_meter(metering.system, "api-calls", dimensions=["region"], description="old", unit="calls")
    options = ("--label", "Calls", "--description", "", "--dimension", "plan")
    changed = metering.json("meters", "update", "api-calls", *options)
    assert changed == {**meter, "label": "Calls", "description": "", "dimensions": ["plan"], "updateTime": ANY}
    done = metering.run_with_input("n\n", "meters", "update", "api-calls", "--status", "deprecated")
    assert "Set the status of api-calls to deprecated? It cannot be set back." in done.stderr
    assert metering.json("meters", "show", "api-calls")["lockingStatus"] == "open"
    deprecated = metering.json("meters", "update", "api-calls", "--status", "deprecated", "--yes")
    assert deprecated["lockingStatus"] == "deprecated"


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ((), "set what to change"),
        (("--label", ""), "label: A label has 1 to 200 characters."),
        (("--name", "a b"), "meterApiName: An API name has 1 to 50 letters"),
        (("--dimension", ""), "dimensions: A dimension has 1 to 200 characters."),
        (("--status", "deprecated", "--json"), "--json requires --yes"),
    ],
)
def test_an_invalid_update_is_rejected_before_it_is_sent(
    metering: LocalMetering, options: tuple[str, ...], problem: str
) -> None:
    create_meter(metering.system, "api-calls")
    done = metering("meters", "update", "api-calls", *options)
    assert (done.returncode != 0, problem in done.stderr) == (True, True), done
