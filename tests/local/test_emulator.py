import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from amberflo_workflows.local import emulator as module
from amberflo_workflows.local.emulator import (
    Emulator,
    _start,
    choose_port,
    enable_queue_consumers,
    running_emulator,
    start,
)
from amberflo_workflows.local.processes import find_free_port
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.loopback import LOOPBACK
from tests.local.conftest import Invoke
from tests.polling import listening_addresses, session_processes, wait_until

pytestmark = pytest.mark.emulator

ENVIRONMENT = "import os\ndef handler(event, context): return dict(os.environ)\n"
MARKING = """
import pathlib
def handler(event, context):
    for record in event.get("Records", []):
        pathlib.Path(record["body"]).touch()
"""
SLEEPING = """
import pathlib, time
def handler(event, context):
    if "marker" in event:
        pathlib.Path(event["marker"]).touch()
        time.sleep(19)
"""


def test_an_emulator_ends_with_its_workers(tmp_path: Path, invoke: Invoke) -> None:
    with running_emulator(tmp_path) as emulator:
        invoke(emulator, ENVIRONMENT)
        assert len(session_processes(emulator.server.pid)) == 2
    assert session_processes(emulator.server.pid) == []
    with socket.socket() as caller:
        assert caller.connect_ex((LOOPBACK, int(emulator.url.rsplit(":", 1)[1]))) != 0


def test_it_listens_on_loopback_only(tmp_path: Path, invoke: Invoke) -> None:
    with running_emulator(tmp_path) as emulator:
        invoke(emulator, ENVIRONMENT)
        addresses = listening_addresses(emulator.server.pid)
    assert {address for address, _ in addresses} == {LOOPBACK}
    assert int(emulator.url.rsplit(":", 1)[1]) in {port for _, port in addresses}


def test_a_lambda_has_no_variable_of_the_users_environment(
    tmp_path: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-the-user")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("SOME_TOKEN", "of-the-user")
    with running_emulator(tmp_path) as emulator:
        environment = invoke(emulator, ENVIRONMENT)
    assert "of-the-user" not in environment.values()
    assert not {"HTTPS_PROXY", "SOME_TOKEN"} & environment.keys()
    assert environment["HOME"].startswith(str(tmp_path))
    assert environment["AWS_ENDPOINT_URL"] == emulator.url


def test_two_emulators_share_nothing(tmp_path: Path) -> None:
    with running_emulator(tmp_path / "a") as first, running_emulator(tmp_path / "b") as second:
        first.client("sqs").create_queue(QueueName="mine")
        assert second.client("sqs").list_queues().get("QueueUrls", []) == []


def test_the_users_profile_and_proxy_are_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "not-there")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with running_emulator(tmp_path) as emulator:
        assert emulator.client("sts").get_caller_identity()["Account"] == "000000000000"


def test_a_requested_port_in_use_is_an_error() -> None:
    with socket.create_server((LOOPBACK, 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(OperatorError, match=f"Port {port} is in use. Choose another with --port"):
            choose_port(port)


def test_a_failed_start_shows_the_end_of_the_log(tmp_path: Path) -> None:
    with (
        socket.create_server((LOOPBACK, 0)) as listener,
        pytest.raises(OperatorError, match="is already in use") as raised,
    ):
        _start(tmp_path, listener.getsockname()[1], 1.0)
    assert str(tmp_path / "emulator.log") in str(raised.value)


def test_a_start_whose_port_was_taken_meanwhile_uses_another(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = int(emulator.url.rsplit(":", 1)[1])
    # Two starts choose the same free port, and the other one is faster.
    monkeypatch.setattr(module, "choose_port", lambda _: port)
    second = start(tmp_path, port=None)
    try:
        assert second.url != emulator.url
        assert second.server.listens_on(int(second.url.rsplit(":", 1)[1]))
        assert not second.server.listens_on(port)
    finally:
        second.server.stop()


def test_an_emulator_ends_when_its_starter_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from amberflo_workflows.local.emulator import start\n"
        f"print(start(Path({str(tmp_path)!r}), port={find_free_port()}).server.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout
        session = int(starter.stdout.readline())
        assert session_processes(session)
        starter.kill()
    assert wait_until(lambda: session_processes(session) == [])


def test_workers_end_when_their_emulator_is_killed(tmp_path: Path, invoke: Invoke) -> None:
    with running_emulator(tmp_path) as emulator:
        invoke(emulator, ENVIRONMENT)
        os.kill(emulator.server.pid, signal.SIGKILL)
    assert wait_until(lambda: session_processes(emulator.server.pid) == [])


def test_queued_messages_are_consumed_after_a_restart_on_another_port(tmp_path: Path, invoke: Invoke) -> None:
    marker = tmp_path / "marker"
    with running_emulator(tmp_path) as emulator:
        invoke(emulator, MARKING)
        sqs = emulator.client("sqs")
        url = sqs.create_queue(QueueName="q")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        functions = emulator.client("lambda")
        functions.create_event_source_mapping(EventSourceArn=arn, FunctionName="tiny", Enabled=False)
        sqs.send_message(QueueUrl=url, MessageBody=str(marker))
    with running_emulator(tmp_path) as restarted:
        assert restarted.url != emulator.url
        enable_queue_consumers(restarted)
        assert wait_until(marker.exists)


def test_messages_in_flight_are_visible_after_a_restart(tmp_path: Path, invoke: Invoke) -> None:
    port = find_free_port()
    emulator = start(tmp_path, port=port)
    queues = emulator.client("sqs")
    url = queues.create_queue(QueueName="q", Attributes={"VisibilityTimeout": "1620"})["QueueUrl"]
    queues.send_message(QueueUrl=url, MessageBody="precious")
    assert queues.receive_message(QueueUrl=url)["Messages"]
    invoke(emulator, SLEEPING)
    marker = tmp_path / "marker"
    payload = json.dumps({"marker": str(marker)})
    emulator.client("lambda").invoke(FunctionName="tiny", InvocationType="Event", Payload=payload)
    assert wait_until(marker.exists)
    # The emulator saves its state without waiting for the Lambda; otherwise it would be killed after 10 seconds.
    assert emulator.server.stop()
    restarted = start(tmp_path, port=port)
    try:
        assert restarted.client("sqs").receive_message(QueueUrl=url)["Messages"][0]["Body"] == "precious"
    finally:
        restarted.server.stop()
