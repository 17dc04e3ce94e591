"""Text of strangers on its way out: into logs, onto terminals, into answers. For pages see ``tests/local/console``."""

import json
import re
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from amberflo_workflows.local.system import System
from tests.attackers.deliveries import deliver, event, usage
from tests.cli.metering import Metering
from tests.conftest import sandbox_of
from tests.entrypoints.calls import Api
from tests.workflows.runner import Runner

pytestmark = pytest.mark.emulator

FORGED = {"level": "ERROR", "message": "forged"}
STEERS = "\x1b[2J\x1b]0;taken\x07\x9b31m\u202e\r"
STEERING = set("\x1b\x07\x9b\u202e\r")
HOSTILE = f"evil\n{json.dumps(FORGED)}\n{STEERS}"
# What the runtime writes around the lines of a function.
PLATFORM = re.compile(r"(INIT_START|START|END|REPORT|\[ERROR\]|Traceback|\xa0)")


@pytest.fixture
def mark() -> str:
    return f"mark-{uuid.uuid4()}"


@pytest.fixture
def metering(system: System, tmp_path: Path) -> Iterator[Metering]:
    yield Metering(system, tmp_path)
    system.client("sqs").purge_queue(QueueUrl=system.outputs["UsageDeadLetterQueueUrl"])


def _lines(system: System, since: float) -> list[str]:
    logs = system.client("logs")
    groups = [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]]
    pages = [
        page
        for group in groups
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=int(since * 1000))
    ]
    return [found["message"] for page in pages for found in page["events"]]


def _amberflo_says(system: System, message: str, path: str) -> None:
    fault = {"kind": "status", "status": 400, "path": path, "body": json.dumps({"errorMessage": message})}
    sandbox_of(system).set_faults([fault])


def test_untrusted_text_cannot_forge_a_log_line(system: System, mark: str) -> None:
    began, hostile = time.time(), f"{mark} {HOSTILE}"
    deliver(system, event(usage(tenantId=hostile), usage(meterApiName=hostile)), hostile, json.dumps({"id": hostile}))
    deliver(system, event(usage(tenantId=hostile, note="x" * 150_000)))
    Runner(system, endpoint=None).run("get_meter", {"meterId": hostile[:200]})
    Api(system).call("GET", f"usage/x?meterApiName={mark}&groupBy={mark}%0A{json.dumps(FORGED)}")
    # Of two usages that are refused at once an error tells, and the runtime logs it.
    _amberflo_says(system, hostile, "/ingest")
    deliver(system, event(usage(), usage(tenantId="t2")))
    found = _lines(system, began)
    lines = [line for line in found if not PLATFORM.match(line)]
    assert len(lines) > 10
    assert [line for line in lines if not isinstance(json.loads(line), dict)] == []
    assert [line for line in lines if json.loads(line).get("message") == FORGED["message"]] == []
    told = [line for line in found if mark in line and line.startswith("[ERROR]")]
    assert told
    assert not set("".join(told)) & {*STEERING, "\n"}


@pytest.mark.parametrize(("path", "asked"), [("/meters/*", "meters/x"), ("/usage*", "usage/x?meterApiName=m")])
def test_an_amberflo_error_message_is_returned_as_one_line_of_plain_text(system: System, path: str, asked: str) -> None:
    _amberflo_says(system, f"<b>{HOSTILE}" + "x" * 10_000, path)
    answer = Api(system).call("GET", asked)
    assert answer.status == 400
    assert answer.headers["Content-Type"] == "application/json"
    message: Any = answer.body["message"]
    assert message.startswith("<b>evil ")
    assert message.isprintable()
    assert len(message) == 500


def test_the_command_line_prints_no_terminal_control_characters(metering: Metering, mark: str) -> None:
    system, hostile = metering.system, f"{mark} {HOSTILE}"
    # JSON as it is, with nothing escaped that need not be.
    wild = event(json.dumps({**json.loads(usage()), "tenantId": hostile}, ensure_ascii=False))
    assert deliver(system, wild) == []
    queue = system.outputs["UsageDeadLetterQueueUrl"]
    system.client("sqs").send_message(QueueUrl=queue, MessageBody=wild)
    function = system.client("lambda").get_function_configuration(
        FunctionName=system.outputs["IngestQueueFunctionName"]
    )
    group = function["LoggingConfig"]["LogGroup"]
    system.client("logs").create_log_stream(logGroupName=group, logStreamName=mark)
    system.client("logs").put_log_events(
        logGroupName=group, logStreamName=mark, logEvents=[{"timestamp": int(time.time() * 1000), "message": hostile}]
    )
    (item,) = [one for one in metering.json("rejected", "list") if mark in one["tenant_id"]]
    (dead,) = metering.json("dead", "list")
    for command in (
        ("rejected", "list"),
        ("rejected", "show", item["id"]),
        ("dead", "list"),
        ("dead", "show", dead["id"]),
        ("logs", "--minutes", "1"),
    ):
        done = metering(*command)
        assert done.returncode == 0, done
        assert mark in done.stdout, command
        assert not set(done.stdout + done.stderr) & STEERING, command
    assert json.loads(metering("rejected", "show", item["id"]).stdout)["original"]["usage"]["tenantId"] == hostile
