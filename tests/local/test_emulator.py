import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from amberflo_workflows.local import emulator as module
from amberflo_workflows.local.emulator import Emulator, _start, choose_port, running_emulator, start
from amberflo_workflows.local.processes import find_free_port
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.loopback import LOOPBACK
from tests.local.conftest import Invoke
from tests.polling import listening_addresses, session_processes, wait_until

pytestmark = pytest.mark.emulator

ENVIRONMENT = "import os\ndef handler(event, context): return dict(os.environ)\n"
SLEEPY = "import time\ndef handler(event, context): time.sleep(event.get('seconds', 0))\n"


def test_nothing_is_left_of_an_emulator_and_its_workers(tmp_path: Path, invoke: Invoke) -> None:
    with running_emulator(tmp_path) as emulator:
        invoke(emulator, ENVIRONMENT)
        assert len(session_processes(emulator.server.pid)) == 2
    assert session_processes(emulator.server.pid) == []
    with socket.socket() as caller:
        assert caller.connect_ex((LOOPBACK, int(emulator.url.rsplit(":", 1)[1]))) != 0


def test_it_listens_on_loopback_only(tmp_path: Path, invoke: Invoke) -> None:
    with running_emulator(tmp_path) as emulator:
        invoke(emulator, ENVIRONMENT)
        found = listening_addresses(emulator.server.pid)
    assert {address for address, _ in found} == {LOOPBACK}
    assert int(emulator.url.rsplit(":", 1)[1]) in {port for _, port in found}


def test_a_lambda_sees_nothing_of_the_environment_that_the_emulator_was_started_in(
    tmp_path: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-the-user")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("SOME_TOKEN", "of-the-user")
    with running_emulator(tmp_path) as emulator:
        seen = invoke(emulator, ENVIRONMENT)
    assert "of-the-user" not in seen.values()
    assert not {"HTTPS_PROXY", "SOME_TOKEN"} & seen.keys()
    assert seen["HOME"].startswith(str(tmp_path))
    assert seen["AWS_ENDPOINT_URL"] == emulator.url


def test_two_emulators_run_side_by_side(tmp_path: Path) -> None:
    with running_emulator(tmp_path / "a") as one, running_emulator(tmp_path / "b") as other:
        one.client("sqs").create_queue(QueueName="mine")
        assert other.client("sqs").list_queues().get("QueueUrls", []) == []


def test_the_profile_and_the_proxy_of_the_user_are_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "not-there")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with running_emulator(tmp_path) as emulator:
        assert emulator.client("sts").get_caller_identity()["Account"] == "000000000000"


def test_a_port_that_was_asked_for_and_is_taken_is_named() -> None:
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OperatorError, match=f"Port {port} is taken. Choose another with --port"):
            choose_port(port)


def test_the_end_of_the_log_is_shown_when_it_ends_while_it_starts(tmp_path: Path) -> None:
    with socket.create_server((LOOPBACK, 0)) as taken, pytest.raises(OperatorError, match="is already in use") as told:
        _start(tmp_path, taken.getsockname()[1], 1.0)
    assert str(tmp_path / "emulator.log") in str(told.value)


def test_of_two_that_are_started_at_the_same_moment_each_has_its_own(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = int(emulator.url.rsplit(":", 1)[1])
    # Both find the usual port free, and one is faster: a moment that cannot be had otherwise.
    monkeypatch.setattr(module, "choose_port", lambda _: taken)
    late = start(tmp_path, port=None)
    try:
        assert late.url != emulator.url
        assert late.server.listens(int(late.url.rsplit(":", 1)[1]))
        assert not late.server.listens(taken)
    finally:
        late.server.end()


def test_it_ends_with_a_starter_that_is_killed(tmp_path: Path) -> None:
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
    assert session_processes(emulator.server.pid) == []


def test_what_was_queued_is_there_again_at_once_though_a_lambda_was_at_work(tmp_path: Path, invoke: Invoke) -> None:
    port = find_free_port()
    emulator = start(tmp_path, port=port)
    queues = emulator.client("sqs")
    url = queues.create_queue(QueueName="q", Attributes={"VisibilityTimeout": "1620"})["QueueUrl"]
    queues.send_message(QueueUrl=url, MessageBody="precious")
    assert queues.receive_message(QueueUrl=url)["Messages"]
    invoke(emulator, SLEEPY)
    busy = emulator.client("lambda")
    busy.invoke(FunctionName="tiny", InvocationType="Event", Payload=b'{"seconds": 19}')
    time.sleep(0.5)
    started = time.monotonic()
    emulator.server.end()
    assert time.monotonic() - started < 8
    again = start(tmp_path, port=port)
    try:
        assert again.client("sqs").receive_message(QueueUrl=url)["Messages"][0]["Body"] == "precious"
    finally:
        again.server.end()
