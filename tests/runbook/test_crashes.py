"""The data of a local system after `metering down`, and after each of its processes was killed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from amberflo_workflows.local import system as systems
from amberflo_workflows.local.processes import Server, find_free_port, spawn
from amberflo_workflows.local.system import LOST_MESSAGE, System
from amberflo_workflows.operate.loopback import LOOPBACK
from amberflo_workflows.sandbox.client import SandboxClient
from tests.cli.test_main import METERING, Shell
from tests.conftest import empty, sandbox_of
from tests.polling import wait_until as poll
from tests.runbook.sending import METER, build_usages, count_messages, expected_totals, send_usages

pytestmark = [pytest.mark.long, pytest.mark.system]

TIMEOUT_SECONDS = 150
KEY = "key-1"
# The first call of a deployment in the emulator's log.
DEPLOYING = "SSM PutParameter"


def wait_until(condition: Callable[[], bool]) -> bool:
    """Wait for a condition, long enough for a restart of the system on a busy machine."""
    return poll(condition, TIMEOUT_SECONDS)


@pytest.fixture(scope="module")
def shared_shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    metering = Shell(tmp_path_factory.mktemp("home"))
    yield metering
    metering("down")


@pytest.fixture
def shell(shared_shell: Shell) -> Shell:
    """A running, empty system, whatever an earlier test did to it."""
    _up(shared_shell)
    system = _running(shared_shell)
    sandbox_of(system).clear_faults()
    empty(system)
    sandbox_of(system).create_meters(METER)
    return shared_shell


def _up(shell: Shell) -> str:
    """Start the system and return its warnings."""
    process = shell("up")
    assert process.returncode == 0, process.stderr
    return " ".join(process.stderr.split())


def _running(shell: Shell) -> System:
    system = systems.find_running(shell.home)
    assert system
    return system


def _is_counted(system: System, usages: Sequence[dict[str, Any]]) -> bool:
    return expected_totals(usages).items() <= sandbox_of(system).totals(METER).items()


def _are_all_counted_once(shell: Shell, usages: Sequence[dict[str, Any]]) -> bool:
    system = _running(shell)
    return wait_until(lambda: count_messages(system) == 0) and _is_counted(system, usages)


def _interrupted_up(shell: Shell) -> None:
    """Kill `metering up` while it deploys the stack."""
    log = shell.home / "emulator" / "emulator.log"
    before = log.read_text().count(DEPLOYING)
    with subprocess.Popen([*METERING, "up"], env=shell.environment, stdout=subprocess.DEVNULL) as starting:
        assert wait_until(lambda: log.read_text().count(DEPLOYING) > before)
        starting.kill()


def test_events_are_kept_after_down_and_a_killed_up(shell: Shell) -> None:
    system, usages = _running(shell), build_usages(40)
    dead = {"id": "d", "detail-type": "ingestUsage", "detail": {"tenantId": "acme", "meterApiName": METER}}
    system.client("sqs").send_message(QueueUrl=system.outputs["UsageDeadLetterQueueUrl"], MessageBody=json.dumps(dead))
    send_usages(system, [{"tenantId": "acme", "meterValue": 1}])
    assert wait_until(lambda: '"acme"' in shell("rejected", "list", "--json").stdout)
    sandbox_of(system).set_faults([{"kind": "hang", "seconds": 60, "path": "/ingest"}])
    send_usages(system, usages)
    assert wait_until(lambda: sandbox_of(system).faults()[0]["struck"] >= 1)
    down = shell("down")
    assert (down.returncode, down.stderr) == (0, "")
    _interrupted_up(shell)
    assert _up(shell) == ""
    assert _are_all_counted_once(shell, usages)
    assert '"acme"' in shell("rejected", "list", "--json").stdout
    assert '"acme"' in shell("dead", "list", "--json").stdout


def test_up_restarts_a_killed_sandbox_and_usage_is_counted_once(shell: Shell) -> None:
    system, usages = _running(shell), build_usages(80)
    send_usages(system, usages)
    assert wait_until(lambda: sandbox_of(system).totals(METER).get(usages[0]["tenantId"], 0) > 0)
    os.kill(shell.pids[1], signal.SIGKILL)
    assert wait_until(lambda: "the sandbox stopped unexpectedly" in shell("status").stderr)
    assert _up(shell) == ""
    assert _are_all_counted_once(shell, usages)


def test_up_restarts_only_a_killed_console(shell: Shell) -> None:
    emulator, sandbox, console = shell.pids
    os.kill(console, signal.SIGKILL)
    assert wait_until(lambda: json.loads(shell("status", "--json").stdout)["console"] is None)
    assert "Already running" in shell("up").stdout
    assert shell.pids[:2] == (emulator, sandbox)
    address = json.loads(shell("status", "--json").stdout)["console"]
    assert requests.get(f"{address}executions", timeout=30).status_code == 200


def test_up_and_down_report_that_a_killed_emulator_lost_queued_events(shell: Shell) -> None:
    system, counted, queued = _running(shell), build_usages(20), build_usages(20)
    send_usages(system, counted)
    assert _are_all_counted_once(shell, counted)
    sandbox_of(system).set_faults([{"kind": "hang", "seconds": 60, "path": "/ingest"}])
    send_usages(system, queued)
    os.kill(shell.pids[0], signal.SIGKILL)
    assert wait_until(lambda: shell("status").returncode == 3)
    assert _up(shell) == LOST_MESSAGE
    later = build_usages(20)
    send_usages(_running(shell), later)
    assert _are_all_counted_once(shell, [*counted, *later])
    assert not _is_counted(_running(shell), queued)
    # Only the first command after the kill reports it.
    os.kill(shell.pids[0], signal.SIGKILL)
    assert wait_until(lambda: shell("status").returncode == 3)
    assert " ".join(shell("down").stderr.split()) == LOST_MESSAGE
    assert shell("down").stderr == ""


def test_a_killed_sandbox_keeps_all_acknowledged_usage(tmp_path: Path) -> None:
    usages = build_usages(300)
    for chunk in (usages[:200], usages[200:]):
        server, client = _start_sandbox(tmp_path)
        try:
            for usage in chunk:
                record = {"customerId": usage["tenantId"], "meterTimeInMillis": int(time.time() * 1000)}
                response = requests.post(
                    f"{client.url}/ingest",
                    json={**record, **{key: usage[key] for key in ("meterApiName", "meterValue", "uniqueId")}},
                    headers={"X-API-KEY": KEY},
                    timeout=60,
                )
                assert response.ok
        finally:
            # Immediately: it writes to its database once a second.
            server.kill()
    with (tmp_path / "data.journal").open("ab") as journal:
        journal.write(b'["half of a line')
    server, client = _start_sandbox(tmp_path)
    try:
        assert client.totals(METER) == expected_totals(usages)
    finally:
        server.kill()


def _start_sandbox(folder: Path) -> tuple[Server, SandboxClient]:
    port = find_free_port()
    server = spawn(
        "amberflo_workflows.sandbox",
        *("--port", str(port), "--data", str(folder / "data.duckdb")),
        environment={"PATH": os.defpath, "SANDBOX_API_KEY": KEY},
        folder=folder,
        log=folder / "log",
    )
    assert wait_until(lambda: server.listens_on(port))
    return server, SandboxClient(f"http://{LOOPBACK}:{port}")


def test_a_newer_session_with_the_same_id_is_not_stopped() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True) as other:
        Server(other.pid, psutil.Process(other.pid).create_time() - 3_600).stop()
        other.communicate(b"\n")
    assert other.returncode == 0


def test_a_file_is_complete_although_its_writer_is_killed(tmp_path: Path) -> None:
    path, sizes = tmp_path / "file", (3_000_000, 4_000_000)
    code = (
        "import pathlib, sys; from amberflo_workflows.local.home import write_atomically\n"
        f"while True:\n    for size in {sizes}: write_atomically(pathlib.Path({str(path)!r}), 'x' * size)\n"
    )
    for attempt in range(5):
        path.unlink(missing_ok=True)
        with subprocess.Popen([sys.executable, "-c", code]) as writer:
            assert wait_until(path.exists)
            time.sleep(0.05 + attempt * 0.013)
            writer.kill()
        assert len(path.read_text()) in sizes
