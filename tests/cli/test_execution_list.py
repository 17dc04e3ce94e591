"""``metering executions list``."""

import csv
import io
import json
import shlex
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from amberflo_workflows.local.system import System
from tests.cli.executions import build_usages, parse_name, run_failing, run_workflow
from tests.cli.metering import Metering

pytestmark = [pytest.mark.emulator, pytest.mark.meters("api-calls")]


@pytest.fixture
def metering(system: System, tmp_path: Path) -> Metering:
    return Metering(system, tmp_path)


def test_the_list_shows_the_status_in_words(metering: Metering) -> None:
    run_workflow(metering, "list_meters", {})
    good, bad = run_workflow(metering, "list_meters", {"limit": 7}), run_failing(metering)
    done = metering("executions", "list", "--since", "10m", "--limit", "2")
    assert done.returncode == 0, done.stderr
    head, *lines = done.stdout.splitlines()
    assert head.split() == ["execution", "workflow", "status", "started", "duration", "input"]
    assert [(line.split()[0], line.split()[1:3]) for line in lines] == [
        (bad[:8], ["list_meters", "FAILED"]),
        (good[:8], ["list_meters", "succeeded"]),
    ]
    assert '{"limit": 7}' in lines[1]
    assert "metering --stack AmberfloMetering executions list --since 10m --limit 2 --page-token" in done.stderr


def test_the_list_can_be_filtered(metering: Metering) -> None:
    meter = f"meter-{uuid.uuid4()}"
    good, bad = run_workflow(metering, "get_meter", {"meterId": meter}), run_failing(metering)
    (item,) = metering.json("executions", "list", "--contains", meter)
    assert (item["name"], item["status"], item["workflow"]) == (good, "succeeded", "get_meter")
    failed = metering.json("executions", "list", "--status", "failed", "--workflow", "list_meters", "--limit", "1")
    assert [item["name"] for item in failed] == [bad]
    done = metering("executions", "list", "--contains", "no such text", "--since", "1m")
    assert done.stdout == "No executions match.\n"


def test_the_pages_of_a_list_neither_repeat_nor_skip_executions_of_one_second(metering: Metering) -> None:
    text = f"page-{uuid.uuid4()}"
    client, machine = metering.system.client("stepfunctions"), metering.system.state_machine_arns["get_meter"]
    with ThreadPoolExecutor(8) as pool:
        request = json.dumps({"meterId": text})
        started = list(
            pool.map(lambda _: client.start_execution(stateMachineArn=machine, input=request)["executionArn"], range(8))
        )
    done = metering("executions", "list", "--contains", text, "--limit", "3", "--csv")
    names: list[str] = []
    while True:
        assert done.returncode == 0, done.stderr
        names += [row["name"] for row in csv.DictReader(io.StringIO(done.stdout))]
        if "--page-token" not in done.stderr:
            break
        done = metering(*shlex.split(done.stderr.strip().rpartition("see: ")[2])[3:], "--csv")
        assert len(names) <= len(started), names
    assert sorted(names) == sorted(map(parse_name, started))


def test_a_response_with_an_error_is_shown_and_searched_for(metering: Metering) -> None:
    meter, tenant = f"meter-{uuid.uuid4()}", f"tenant-{uuid.uuid4()}"
    name = run_workflow(metering, "get_meter", {"meterId": meter})
    done = metering("executions", "list", "--contains", meter)
    assert "succeeded · 404 NOT FOUND" in done.stdout
    assert f"get_meter  {name}  succeeded · 404 NOT FOUND after" in metering("executions", "show", name).stdout
    assert metering.json("executions", "show", name)["response_status"] == 404
    for filters, names in (
        (("--response-status", "404"), [name]),
        (("--response-status", "4xx"), [name]),
        (("--response-status", "error", "--error", "NOT FOUND"), [name]),
        (("--error", "no such text"), []),
        (("--response-status", "2xx"), []),
    ):
        listed = metering.json("executions", "list", "--contains", meter, *filters)
        assert [(item["name"], item["response_status"]) for item in listed] == [(name, 404) for name in names]
    request = {"usages": [{**build_usages(1)["usages"][0], "usage": {"tenantId": tenant, "meterApiName": "api-calls"}}]}
    own = run_workflow(metering, "ingest_usage", request)
    assert [item["name"] for item in metering.json("executions", "list", "--tenant", tenant)] == [own]
    assert metering.json("executions", "list", "--tenant", tenant[:-1], "--since", "1m") == []
    failed = run_failing(metering)
    listed = metering.json("executions", "list", "--error", "amberflounavailable", "--since", "1m", "--limit", "1")
    assert [(item["name"], item["error"]) for item in listed] == [(failed, "AmberfloUnavailable")]
