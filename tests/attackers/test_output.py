"""Untrusted text in logs, on terminals and in responses. ``tests/console`` tests the console's pages."""

import json
import re
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from amberflo_workflows.local.system import System
from tests.attackers.deliveries import deliver, event, usage
from tests.cli.metering import Metering
from tests.conftest import sandbox_of
from tests.entrypoints.calls import Api, create_meter
from tests.polling import wait_until
from tests.workflows.runner import Runner

pytestmark = [pytest.mark.emulator, pytest.mark.meters("api-calls")]

FORGED_LINE = {"level": "ERROR", "message": "forged"}
CONTROL_CHARACTERS = set("\x1b\x07\x9b\u202e\r")
HOSTILE = f"evil\n{json.dumps(FORGED_LINE)}\n\x1b[2J\x1b]0;taken\x07\x9b31m\u202e\r"
# Lines that the Lambda runtime writes, not the function.
RUNTIME_LINE = re.compile(r"(INIT_START|START|END|REPORT|\[ERROR\]|Traceback|\xa0)")


@pytest.fixture
def mark() -> str:
    return f"mark-{uuid.uuid4()}"


@pytest.fixture
def metering(system: System, tmp_path: Path) -> Metering:
    return Metering(system, tmp_path)


def _log_lines(system: System, since: float) -> list[str]:
    """The lines of all log groups since a Unix time in seconds."""
    logs = system.client("logs")
    groups = [group for page in logs.get_paginator("describe_log_groups").paginate() for group in page["logGroups"]]
    events = logs.get_paginator("filter_log_events")
    pages = [
        page
        for group in groups
        for page in events.paginate(logGroupName=group["logGroupName"], startTime=int(since * 1000))
    ]
    return [event["message"] for page in pages for event in page["events"]]


def _fail_with_message(system: System, message: str, path: str) -> None:
    fault = {"kind": "status", "status": 400, "path": path, "body": json.dumps({"errorMessage": message})}
    sandbox_of(system).set_faults([fault])


def test_untrusted_text_cannot_forge_a_log_line(system: System, mark: str) -> None:
    started, hostile = time.time(), f"{mark} {HOSTILE}"
    deliver(system, event(usage(tenantId=hostile), usage(meterApiName=hostile)), hostile, json.dumps({"id": hostile}))
    deliver(system, event(usage(tenantId=hostile, note="x" * 150_000)))

    def call_steps() -> None:
        Runner(system, endpoint=None).run("get_meter", {"meterId": hostile[:200]})
        Api(system).call("GET", f"usage/x?meterApiName={mark}&groupBy={mark}%0A{json.dumps(FORGED_LINE)}")
        deliver(system, event(usage(), usage(tenantId="t2")))

    # When Amberflo rejects several usages in one call, the step raises an error, which the runtime logs.
    _fail_with_message(system, hostile, "/ingest")
    call_steps()

    def error_lines() -> list[str]:
        return [line for line in _log_lines(system, started) if mark in line and line.startswith("[ERROR]")]

    def function_lines() -> list[str]:
        return [line for line in _log_lines(system, started) if not RUNTIME_LINE.match(line)]

    def has_each_step_logged() -> bool:
        services = {json.loads(line).get("service") for line in function_lines()}
        if services >= {"fetch_usage", "get_meter", "send_usages"} and error_lines():
            return True
        # The emulator may store the last lines of an invocation with those of the next one.
        call_steps()
        return False

    # A step that is warm logs little, but each of these logs its call of Amberflo.
    assert wait_until(has_each_step_logged)
    assert not set("".join(error_lines())) & {*CONTROL_CHARACTERS, "\n"}
    assert [line for line in function_lines() if not isinstance(json.loads(line), dict)] == []
    assert [line for line in function_lines() if json.loads(line).get("message") == FORGED_LINE["message"]] == []


@pytest.mark.meters
@pytest.mark.parametrize(
    ("amberflo_path", "path"),
    [("/meters/*", "meters/x"), ("/usage*", "usage/{id}?meterApiName=api-calls")],
    ids=["get-meter", "fetch-usage"],
)
def test_an_amberflo_error_message_is_returned_as_one_line_of_plain_text(
    system: System, amberflo_path: str, path: str
) -> None:
    _fail_with_message(system, f"<b>{HOSTILE}" + "x" * 10_000, amberflo_path)
    api = Api(system)
    response = api.call("GET", path.replace("{id}", create_meter(api)["id"]))
    assert response.status == 400
    assert response.headers["Content-Type"] == "application/json"
    message: Any = response.body["message"]
    assert message.startswith("<b>evil ")
    assert message.isprintable()
    assert len(message) == 500


def test_the_command_line_prints_no_terminal_control_characters(metering: Metering, mark: str) -> None:
    system, hostile = metering.system, f"{mark} {HOSTILE}"
    # JSON with as few escapes as possible.
    body = event(json.dumps({**json.loads(usage()), "tenantId": hostile}, ensure_ascii=False))
    assert deliver(system, body) == []
    queue = system.outputs["UsageDeadLetterQueueUrl"]
    system.client("sqs").send_message(QueueUrl=queue, MessageBody=body)
    function = system.client("lambda").get_function_configuration(
        FunctionName=system.outputs["IngestQueueFunctionName"]
    )
    group, logs = function["LoggingConfig"]["LogGroup"], system.client("logs")
    logs.create_log_stream(logGroupName=group, logStreamName=mark)
    log_event = {"timestamp": int(time.time() * 1000), "message": hostile}
    logs.put_log_events(logGroupName=group, logStreamName=mark, logEvents=[log_event])
    (item,) = [item for item in metering.json("rejected", "list") if mark in item["tenant_id"]]
    (dead_event,) = metering.json("dead", "list")
    for command in (
        ("rejected", "list"),
        ("rejected", "show", item["id"]),
        ("dead", "list"),
        ("dead", "show", dead_event["id"]),
        ("logs", "--minutes", "15"),
    ):
        process = metering(*command)
        assert process.returncode == 0, process
        assert mark in process.stdout, command
        assert not set(process.stdout + process.stderr) & CONTROL_CHARACTERS, command
    assert json.loads(metering("rejected", "show", item["id"]).stdout)["original"]["usage"]["tenantId"] == hostile
    logs.delete_log_stream(logGroupName=group, logStreamName=mark)
