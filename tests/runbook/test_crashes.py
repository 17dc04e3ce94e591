"""What a user's local system still knows after `metering down`, and after any of its processes was killed."""

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
from amberflo_workflows.local.processes import Server, find_free_port, is_port_free, spawn
from amberflo_workflows.local.system import LOST_MESSAGE, System
from amberflo_workflows.operate.loopback import LOOPBACK
from amberflo_workflows.sandbox.client import SandboxClient
from tests.cli.test_main import METERING, Shell
from tests.conftest import sandbox_of
from tests.polling import wait_until as within
from tests.runbook.sending import METER, build_usages, count_messages, expected_totals, send_usages

pytestmark = pytest.mark.system

PATIENCE_SECONDS = 150
KEY = "key-1"
# The first thing that a deployment does, as the emulator logs it.
DEPLOYING = "SSM PutParameter"


def wait_until(condition: Callable[[], bool]) -> bool:
    """Whether something comes true, on a busy machine too."""
    return within(condition, PATIENCE_SECONDS)


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    metering = Shell(tmp_path_factory.mktemp("home"))
    _up(metering)
    yield metering
    metering("down")


def _up(shell: Shell) -> str:
    """Start it; what it remarked."""
    done = shell("up")
    assert done.returncode == 0, done.stderr
    return " ".join(done.stderr.split())


def _running(shell: Shell) -> System:
    found = systems.find_running(shell.home)
    assert found
    return found


def _is_counted(system: System, given: Sequence[dict[str, Any]]) -> bool:
    return expected_totals(given).items() <= sandbox_of(system).totals(METER).items()


def _are_all_counted_once(shell: Shell, given: Sequence[dict[str, Any]]) -> bool:
    system = _running(shell)
    return wait_until(lambda: count_messages(system) == 0) and _is_counted(system, given)


def _interrupted_up(shell: Shell) -> None:
    """One that is killed while the stack is being deployed."""
    log = shell.home / "emulator" / "emulator.log"
    before = log.read_text().count(DEPLOYING)
    with subprocess.Popen([*METERING, "up"], env=shell.environment, stdout=subprocess.DEVNULL) as starting:
        assert wait_until(lambda: log.read_text().count(DEPLOYING) > before)
        starting.kill()


def test_a_queue_that_is_full_is_there_after_down_and_an_up_that_was_killed(shell: Shell) -> None:
    system, given = _running(shell), build_usages(40)
    dead = {"id": "d", "detail-type": "ingestUsage", "detail": {"tenantId": "acme", "meterApiName": METER}}
    system.client("sqs").send_message(QueueUrl=system.outputs["UsageDeadLetterQueueUrl"], MessageBody=json.dumps(dead))
    send_usages(system, [{"tenantId": "acme", "meterValue": 1}])
    assert wait_until(lambda: '"acme"' in shell("rejected", "list", "--json").stdout)
    sandbox_of(system).set_faults([{"kind": "hang", "seconds": 60, "path": "/ingest"}])
    send_usages(system, given)
    assert wait_until(lambda: sandbox_of(system).faults()[0]["struck"] >= 1)
    down = shell("down")
    assert (down.returncode, down.stderr) == (0, "")
    _interrupted_up(shell)
    assert _up(shell) == ""
    assert _are_all_counted_once(shell, given)
    assert '"acme"' in shell("rejected", "list", "--json").stdout
    assert '"acme"' in shell("dead", "list", "--json").stdout


def test_a_sandbox_that_is_killed_is_started_again_by_up_and_all_counts_once(shell: Shell) -> None:
    system, given = _running(shell), build_usages(80)
    send_usages(system, given)
    assert wait_until(lambda: sandbox_of(system).totals(METER).get(given[0]["tenantId"], 0) > 0)
    os.kill(shell.pids[1], signal.SIGKILL)
    assert wait_until(lambda: "the sandbox stopped unexpectedly" in shell("status").stderr)
    assert _up(shell) == ""
    assert _are_all_counted_once(shell, given)


def test_a_console_that_is_killed_comes_back_and_the_rest_goes_on(shell: Shell) -> None:
    emulator, sandbox, console = shell.pids
    os.kill(console, signal.SIGKILL)
    assert wait_until(lambda: json.loads(shell("status", "--json").stdout)["console"] is None)
    assert "Already running" in shell("up").stdout
    assert shell.pids[:2] == (emulator, sandbox)
    address = json.loads(shell("status", "--json").stdout)["console"]
    assert requests.get(f"{address}executions", timeout=30).status_code == 200


def test_an_emulator_that_is_killed_loses_what_was_queued_and_up_says_so(shell: Shell) -> None:
    system, counted, queued = _running(shell), build_usages(20), build_usages(20)
    send_usages(system, counted)
    assert _are_all_counted_once(shell, counted)
    sandbox_of(system).set_faults([{"kind": "hang", "seconds": 60, "path": "/ingest"}])
    send_usages(system, queued)
    os.kill(shell.pids[0], signal.SIGKILL)
    assert wait_until(lambda: shell("status").returncode == 3)
    assert _up(shell) == LOST_MESSAGE
    again = build_usages(20)
    send_usages(_running(shell), again)
    assert _are_all_counted_once(shell, [*counted, *again])
    assert not _is_counted(_running(shell), queued)
    # Said once, by whichever command finds it.
    os.kill(shell.pids[0], signal.SIGKILL)
    assert wait_until(lambda: shell("status").returncode == 3)
    assert " ".join(shell("down").stderr.split()) == LOST_MESSAGE
    assert shell("down").stderr == ""


def test_what_a_killed_sandbox_has_acknowledged_is_there_again(tmp_path: Path) -> None:
    given = build_usages(300)
    for attempt in (given[:200], given[200:]):
        server, client = _sandbox(tmp_path)
        try:
            for usage in attempt:
                record = {"customerId": usage["tenantId"], "meterTimeInMillis": int(time.time() * 1000)}
                answer = requests.post(
                    f"{client.url}/ingest",
                    json={**record, **{key: usage[key] for key in ("meterApiName", "meterValue", "uniqueId")}},
                    headers={"X-API-KEY": KEY},
                    timeout=10,
                )
                assert answer.ok
        finally:
            # At once: within the second in which it writes to its database.
            server.kill()
    with (tmp_path / "data.journal").open("ab") as journal:
        journal.write(b'["half of a line')
    server, client = _sandbox(tmp_path)
    try:
        assert client.totals(METER) == expected_totals(given)
    finally:
        server.kill()


def _sandbox(folder: Path) -> tuple[Server, SandboxClient]:
    port = find_free_port()
    server = spawn(
        "amberflo_workflows.sandbox",
        *("--port", str(port), "--data", str(folder / "data.duckdb")),
        environment={"PATH": os.defpath, "SANDBOX_API_KEY": KEY},
        folder=folder,
        log=folder / "log",
    )
    assert wait_until(lambda: not is_port_free(port))
    return server, SandboxClient(f"http://{LOOPBACK}:{port}")


def test_a_session_that_bears_the_id_of_one_that_ended_is_left_alone() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True) as other:
        Server(other.pid, psutil.Process(other.pid).create_time() - 3_600).stop()
        time.sleep(0.2)
        assert other.poll() is None
        other.communicate(b"\n")


def test_a_file_that_is_kept_is_whole_though_its_writer_is_killed(tmp_path: Path) -> None:
    path, sizes = tmp_path / "kept", (3_000_000, 4_000_000)
    code = (
        "import pathlib, sys; from amberflo_workflows.local.home import keep\n"
        f"while True:\n    for size in {sizes}: keep(pathlib.Path({str(path)!r}), 'x' * size)\n"
    )
    for tenths in range(5):
        with subprocess.Popen([sys.executable, "-c", code]) as writer:
            assert wait_until(path.exists)
            time.sleep(0.05 + tenths * 0.013)
            writer.kill()
        assert len(path.read_text()) in sizes
