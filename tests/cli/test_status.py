import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from amberflo_workflows.local.system import STACK, System
from tests.cli.forked import run_forked
from tests.cli.metering import Metering
from tests.entrypoints.calls import Api
from tests.polling import wait_until

pytestmark = pytest.mark.emulator


@pytest.fixture
def metering(system: System, tmp_path: Path) -> Metering:
    """The command line with ``--stack``."""
    return Metering(system, tmp_path)


def test_status_prints_the_outputs_of_the_stack(metering: Metering) -> None:
    facts = metering.json("status")
    assert facts["stack"] == STACK
    assert facts["usageQueue"] == metering.system.outputs["UsageQueueUrl"]
    assert facts["stateMachines"] == metering.system.state_machine_arns


def test_status_reports_usage_that_nothing_takes(metering: Metering) -> None:
    functions = metering.system.client("lambda")
    name = metering.system.outputs["IngestQueueFunctionName"]
    (mapping,) = functions.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
    assert metering.json("status")["queueIsRead"] is True
    assert metering("status").returncode == 0
    functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    try:
        metering("events", "send", "--detail", '{"tenantId": "a", "meterApiName": "b", "meterValue": 1}')
        facts = metering.json("status")
        assert (facts["queuedEvents"], facts["eventsInFlight"], facts["queueIsRead"]) == (1, 0, False)
        done = metering("status")
        assert (done.returncode, "Events that wait in it: 1." in done.stderr) == (1, True), done
    finally:
        functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)


def test_env_and_token_give_access_to_the_api(metering: Metering) -> None:
    script = f'eval "$("$@")"; exec "{sys.executable}" -c "import json, os; print(json.dumps(dict(os.environ)))"'
    command = ["sh", "-c", script, "sh", *metering.command("env")]
    done = subprocess.run(command, env=metering.environment, capture_output=True, text=True, check=True)
    exported = json.loads(done.stdout)
    assert exported["EVENT_BUS_NAME"] == metering.system.outputs["EventBusName"]
    tokens = (exported["ACCESS_TOKEN"], metering("token").stdout.strip(), metering.json("token")["token"])
    for token in (*tokens, metering.json("env")["ACCESS_TOKEN"]):
        headers = {"Authorization": f"Bearer {token}"}
        address = f"{exported['CONTROL_PLANE_API_ENDPOINT']}meters"
        assert requests.get(address, headers=headers, timeout=60).status_code == 200


def test_token_options_work_on_the_local_system_only(metering: Metering) -> None:
    for option in (("--expired",), ("--scope", "read")):
        done = metering("token", *option)
        assert (done.returncode, done.stdout) == (2, "")
        assert "work on the local system only" in done.stderr


def test_logs_prints_the_logs_of_the_functions(metering: Metering) -> None:
    arn = Api(metering.system).call("GET", "meters").headers["x-execution-arn"]

    def are_logged() -> bool:
        text = metering("logs", "--minutes", "5").stdout
        return arn.split(":")[7] in text and "\nREPORT RequestId" in text

    # The logs are written after the response.
    assert wait_until(are_logged)
    facts = [json.loads(line) for line in metering("logs", "--minutes", "5", "--json").stdout.splitlines()]
    assert {frozenset(fact) for fact in facts} == {frozenset({"timestamp", "log_group", "message"})}
    assert [fact["timestamp"] for fact in facts] == sorted(fact["timestamp"] for fact in facts)


def test_a_missing_stack_is_an_error_of_one_line(metering: Metering) -> None:
    for name in ("status", "env", "token", "logs"):
        done = run_forked(["--stack", "Nothing", name], metering.environment)
        assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
        assert "Nothing" in done.stderr


def test_the_console_of_a_stack_runs_until_interrupted(metering: Metering) -> None:
    command = metering.command("console", "--json")
    environment = {**metering.environment, "HOME": os.environ["HOME"]}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["console"]
        assert wait_until(lambda: _read_title(url) == f"{STACK} on AWS")
        process.send_signal(signal.SIGINT)
        assert process.wait(20) in {0, 130, -signal.SIGINT}


def _read_title(url: str) -> str:
    try:
        return requests.get(f"{url}executions", timeout=20).text.split("Metering <small>")[1].split("<")[0]
    except requests.ConnectionError:
        return ""
