"""``metering executions`` but for ``list``."""

import csv
import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from amberflo_workflows.local import home
from amberflo_workflows.local import system as systems
from amberflo_workflows.local.system import System
from tests.cli.executions import build_usages, fault, parse_name, run_failing, run_workflow
from tests.cli.metering import Metering
from tests.conftest import sandbox_of
from tests.workflows.tenant_events import ONBOARDING

pytestmark = [pytest.mark.emulator, pytest.mark.meters("api-calls")]

# Text that a terminal or rich could interpret.
HOSTILE = "[red]red[/red] \x1b[2J\x1b]0;title\x07 \x9b31m <script>alert(1)</script> \u202e \r"


@pytest.fixture
def metering(system: System, tmp_path: Path) -> Metering:
    return Metering(system, tmp_path)


def test_an_execution_is_shown_as_a_graph_and_a_timeline(metering: Metering) -> None:
    name = run_failing(metering)
    done = metering("executions", "show", name[:13])
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"list_meters  {name}  FAILED after")
    assert "  error    AmberfloUnavailable: Amberflo returned status 503." in lines
    assert "✓ ResolveApiKey       Task      succeeded, 1 attempt" in lines
    assert "  ━━▶ ListMeters" in lines
    assert "✗ ListMeters          Task      FAILED, 3 attempts, AmberfloUnavailable" in lines
    assert "  ──▷ WasApiKeyRefreshed   on AmberfloUnauthorized" in lines
    assert "· RefreshApiKey       Task      not reached" in lines
    tries = [line for line in lines if line.startswith("  attempt ")]
    assert [line.split("|")[0].split() for line in tries] == [["attempt", "1"], ["attempt", "2"], ["attempt", "3"]]
    assert all("x" in line.split("|")[1] and "FAILED AmberfloUnavailable" in line for line in tries)
    assert ["then a wait of" in line for line in tries] == [True, True, False]


def test_a_state_is_shown_in_full_with_the_logs_of_its_task(metering: Metering) -> None:
    name = run_failing(metering)
    done = metering("executions", "show", name, "--state", "ListMeters")
    assert '"secretId": "AmberfloApiKey"' in done.stdout
    assert "error\nAmberfloUnavailable: Amberflo returned status 503.\n      File" in done.stdout
    assert done.stdout.count('"outcome":"503"') == 3
    assert name in done.stdout
    shown = metering.json("executions", "show", name, "--state", "ListMeters")
    assert [attempt["error"] for attempt in shown["states"][0]["tries"]] == ["AmberfloUnavailable"] * 3
    assert {json.loads(line["text"])["correlation_id"] for line in shown["log_lines"]} == {name}


def test_an_item_of_a_map_is_shown_if_the_history_has_it(metering: Metering) -> None:
    bucket = metering.system.outputs["BackfillBucketName"]
    usage = {
        "tenantId": "acme",
        "meterApiName": "api-calls",
        "meterValue": 1,
        "meterTimeInMillis": time.time_ns() // 10**6,
    }
    metering.system.client("s3").put_object(Bucket=bucket, Key="one.ndjson", Body=json.dumps(usage).encode())
    name = run_workflow(metering, "backfill_usage", {"bucket": bucket, "key": "one.ndjson"})
    shown = metering("executions", "show", name).stdout
    assert "SendRanges          Map       succeeded, 1 item" in shown
    assert "  iteration 0" in shown
    iteration = metering("executions", "show", name, "--iteration", "0", "--state", "SendRange").stdout
    assert iteration.startswith("SendRange  succeeded, 1 attempt")
    assert "range sent" in iteration
    with fault(metering, kind="status", status=400, path="/ingest", body='{"errorMessage": "no"}', times=1):
        refused = run_workflow(metering, "ingest_usage", build_usages(2))
    done = metering("executions", "show", refused, "--iteration", "0", "--state", "SendUsage")
    assert (done.returncode, "The history has no iterations" in done.stderr) == (1, True)


@pytest.mark.meters
def test_a_running_execution_is_followed_line_by_line(metering: Metering) -> None:
    with fault(metering, kind="delay", seconds=3, times=1):
        started = metering.json("executions", "start", "list_meters", "--no-wait")
        assert started["status"] == "running"
        done = metering("executions", "follow", started["arn"])
    assert done.returncode == 0, done.stderr
    lines = [line.split("  ", 1)[1] for line in done.stdout.splitlines() if "  " in line[:12]]
    assert lines[0] == "ExecutionStarted"
    assert "TaskStateExited  ListMeters" in lines
    assert len(lines) == len(set(lines))
    assert "list_meters succeeded" in done.stdout


def test_following_a_failed_execution_fails(metering: Metering) -> None:
    name = run_failing(metering)
    done = metering("executions", "follow", name)
    assert done.returncode == 1
    assert "TaskFailed  AmberfloUnavailable: Amberflo returned status 503." in done.stdout
    done = metering("executions", "follow", name, "--json")
    assert (done.returncode, json.loads(done.stdout)["error"]) == (1, "AmberfloUnavailable")


def test_the_timeline_is_redrawn_on_a_terminal(metering: Metering) -> None:
    ours, theirs = os.openpty()
    environment = {**metering.environment, "TERM": "xterm", "LINES": "60"}
    # The execution cannot end before the screen has shown that it is running.
    with fault(metering, kind="hang", seconds=60):
        request = json.dumps({"meterId": HOSTILE})
        arn = metering.json("executions", "start", "get_meter", "--input", request, "--no-wait")["arn"]
        command = metering.command("executions", "follow", arn)
        process = subprocess.Popen(command, env=environment, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        screen = _read(ours, until="▷")
    screen += _read(ours)
    os.close(ours)
    assert process.wait() == 0, screen
    assert "running after" in screen
    assert "succeeded · 404 NOT FOUND after" in screen
    assert "\x1b[2J" not in screen
    assert "\x1b]0;title" not in screen


def _read(terminal: int, until: str | None = None) -> str:
    """Read a terminal up to a text, or to its end."""
    output = b""
    while until is None or until.encode() not in output:
        try:
            part = os.read(terminal, 65536)
        except OSError:
            part = b""
        if not part:
            break
        output += part
    return output.decode(errors="replace")


@pytest.mark.meters("example-calls")
def test_a_workflow_starts_with_an_example_or_an_input(metering: Metering, tmp_path: Path) -> None:
    done = metering("executions", "start", "ingest_usage")
    assert (done.returncode, '"accepted": 1' in done.stdout) == (0, True), done
    assert "Starting ingest_usage with" in done.stderr
    sandbox_of(metering.system).reset()
    file = tmp_path / "input.json"
    file.write_text('{"limit": 3}')
    response = {"statusCode": 200, "body": {"data": [], "next_token": None}}
    result = metering.json("executions", "start", "list_meters", "--input", str(file))
    assert (result["status"], json.loads(result["output"])) == ("succeeded", response)
    piped = metering.run_with_input('{"limit": 4}', "executions", "start", "list_meters", "--input", "-", "--json")
    again = metering("executions", "start", "--like", parse_name(json.loads(piped.stdout)["arn"]))
    assert (again.returncode, 'Starting list_meters with {"limit": 4}' in again.stderr) == (0, True)


def test_starting_an_execution_that_fails_fails(metering: Metering) -> None:
    with fault(metering, kind="status", status=503):
        done = metering("executions", "start", "list_meters", "--input", "{}")
    assert (done.returncode, "list_meters FAILED: AmberfloUnavailable: Amberflo" in done.stdout) == (1, True)


def test_start_waits_for_a_standard_workflow(metering: Metering) -> None:
    result = metering.json("executions", "start", "create_customer")
    assert (result["status"], json.loads(result["output"])["body"]["data"]["id"]) == ("succeeded", "example-tenant")


def test_a_standard_execution_is_stopped_after_confirmation(metering: Metering) -> None:
    client, machine = metering.system.client("stepfunctions"), metering.system.state_machine_arns["create_customer"]
    with fault(metering, kind="hang", seconds=120):
        name = parse_name(client.start_execution(stateMachineArn=machine, input=json.dumps(ONBOARDING))["executionArn"])
        done = metering.run_with_input("n\n", "executions", "stop", name)
        assert (done.returncode, "nothing was changed" in done.stderr) == (1, True), done
        assert metering("executions", "stop", name, "--json").returncode == 2
        result = metering.json("executions", "stop", name, "--cause", "wrong tenant", "--yes")
        assert result["status"] == "aborted"
        shown = metering.json("executions", "show", name)
    assert (shown["status"], shown["cause"]) == ("aborted", "wrong tenant")
    done = metering("executions", "stop", name, "--yes")
    assert (done.returncode, "The execution has already ended: aborted." in done.stderr) == (1, True)
    done = metering("executions", "redrive", name, "--yes")
    assert (done.returncode, "emulator of the local system cannot redrive" in done.stderr) == (1, True)
    express = run_workflow(metering, "list_meters", {})
    done = metering("executions", "stop", express, "--yes")
    assert (done.returncode, "Express executions cannot be stopped" in done.stderr) == (1, True)


def test_the_history_is_printed_in_full(metering: Metering) -> None:
    name = run_workflow(metering, "get_meter", {"meterId": "x" * 500})
    events = metering.json("executions", "show", name, "--history")
    assert events[0]["type"] == "ExecutionStarted"
    assert json.loads(events[0]["details"]["input"]) == {"meterId": "x" * 500}
    rows = list(csv.DictReader(io.StringIO(metering("executions", "show", name, "--history", "--csv").stdout)))
    assert [(int(row["id"]), json.loads(row["details"])) for row in rows] == [
        (event["id"], event["details"]) for event in events
    ]
    lines = metering("executions", "show", name, "--history").stdout.splitlines()
    assert len(lines) == len(events)
    assert "x" * 500 in lines[0]


def test_control_characters_in_data_are_escaped(metering: Metering) -> None:
    name = run_workflow(metering, "get_meter", {"meterId": HOSTILE})
    outputs = [
        metering("executions", *arguments)
        for arguments in (
            ("list", "--contains", "alert(1)", "--limit", "1"),
            ("show", name),
            ("show", name, "--state", "GetMeter"),
        )
    ]
    for done in outputs:
        assert done.returncode == 0, done
        assert not set(done.stdout + done.stderr) & set("\x1b\x07\x9b\u202e\r")
    assert "[red]red[/red] \\u001b" in outputs[1].stdout
    assert "<script>alert(1)</script>" in outputs[1].stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("show", "nobody"), 1, "No execution has a name that starts with 'nobody'"),
        (("list", "--workflow", "nothing"), 1, "Workflow 'nothing' was not found. The workflows are backfill_usage,"),
        (("list", "--response-status", "40"), 1, "Unknown response status '40'. Use a status like 404"),
        (("list", "--page-token", "1"), 2, "--page-token must be the complete token"),
        (("list", "--json", "--csv"), 2, "use --json or --csv, not both"),
        (("list", "--tenant", ""), 2, "--tenant is empty"),
        (("show", "nobody", "--csv"), 2, "--csv requires --history"),
        (("show", "nobody", "--history", "--state", "A"), 2, "use --history without --state and --iteration"),
        (("start",), 2, "WORKFLOW, with or without --input, or --like"),
        (("start", "list_meters", "--input", "no-such-file"), 2, "no-such-file cannot be read: No such file"),
        (("start", "list_meters", "--input", "{"), 1, "The input is not valid JSON"),
    ],
)
def test_an_error_is_one_line(metering: Metering, arguments: tuple[str, ...], code: int, message: str) -> None:
    done = metering("executions", *arguments)
    *_, last = done.stderr.splitlines()
    assert (done.returncode, message in last) == (code, True), done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_state_or_map_is_answered_with_the_known_ones(metering: Metering) -> None:
    name = run_workflow(metering, "list_meters", {})
    done = metering("executions", "show", name, "--state", "Nothing")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "state 'Nothing' was not found; the states are ResolveApiKey, ListMeters," in done.stderr
    done = metering("executions", "show", name, "--iteration", "0")
    assert done.returncode == 2
    assert "--iteration requires --state with the name of a Map; the execution entered none" in done.stderr


def test_executions_are_those_of_the_local_system_without_stack(system: System, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "amberflo_workflows.cli.main", "executions", "list", "--json", "--limit", "1"]
    environment = {"PATH": os.environ["PATH"], "METERING_HOME": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, "metering up" in done.stderr) == (3, True)
    home.save_state(tmp_path, systems._to_state(system))
    name = run_workflow(Metering(system, tmp_path), "list_meters", {})
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert [item["name"] for item in json.loads(done.stdout)] == [name]
