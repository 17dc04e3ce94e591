import json
import signal
import subprocess
import sys
import threading
import time
from collections import Counter

import pytest

from amberflo_workflows.emit import UsageEmitter
from amberflo_workflows.local.system import System
from tests.conftest import sandbox_of
from tests.emit.bus import NEVER
from tests.emit.target import FORK, Target, example, run_python


@pytest.mark.emulator
def test_usages_of_all_threads_reach_the_queue_once_in_full_messages(target: Target) -> None:
    with UsageEmitter("metering-bus", "my.app", client=target.events, linger=NEVER) as emitter:

        def record(thread: int) -> None:
            for number in range(250):
                emitter.record(f"tenant-{thread}", "api-calls", number, dimensions={"region": "eu"})

        threads = [threading.Thread(target=record, args=(thread,)) for thread in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    messages = target.messages()
    records = [json.loads(message)["detail"]["records"] for message in messages]
    assert sorted(map(len, records), reverse=True) == [300] * 6 + [200]
    assert all(len(message.encode()) <= 64_000 for message in messages)
    arrived = Counter((usage["tenantId"], usage["meterValue"]) for usages in records for usage in usages)
    assert arrived == Counter((f"tenant-{thread}", number) for thread in range(8) for number in range(250))


@pytest.mark.emulator
def test_a_full_entry_is_billed_as_one_unit_in_the_queue(target: Target) -> None:
    with UsageEmitter("metering-bus", "my.app", client=target.events, linger=NEVER) as emitter:
        for number in range(299):
            emitter.record("acme", "api-calls", number, dimensions={"text": "日" * 30})
    first = target.messages()[0]
    # The emulator writes events with spaces and escapes.
    size = len(json.dumps(json.loads(first), ensure_ascii=False, separators=(",", ":")).encode())
    assert 62_500 < size <= 64_000


@pytest.mark.emulator
def test_a_process_sends_all_usages_before_it_ends(target: Target) -> None:
    code = (
        "from amberflo_workflows.emit import UsageEmitter\n"
        "usage = UsageEmitter('metering-bus', 'my.app', linger=3600)\n"
        "for number in range(400): usage.record('acme', 'api-calls', number)\n"
    )
    process = run_python(code, target.environment)
    assert process.returncode == 0
    assert process.stderr == ""
    assert [usage["meterValue"] for usage in target.usages()] == list(range(400))


@pytest.mark.emulator
def test_a_forked_child_and_its_parent_send_their_own_usages(target: Target) -> None:
    process = run_python(FORK.format(pass_client=False), target.environment)
    assert process.returncode == 0, process.stderr
    arrived = [(usage["tenantId"], usage["meterValue"]) for usage in target.usages()]
    assert sorted(arrived) == [("child", 3), ("parent", 1), ("parent", 2), ("parent", 4)]


@pytest.mark.emulator
def test_the_documents_example_of_a_process_sends_its_usages(target: Target) -> None:
    process = run_python(example("with UsageEmitter"), target.environment)
    assert process.returncode == 0, process.stderr
    arrived = [
        (usage["tenantId"], usage["meterApiName"], usage["meterValue"], usage.get("dimensions"))
        for usage in target.usages()
    ]
    assert arrived == [
        ("acme", "api-calls", 1, None),
        ("acme", "storage-bytes", 52_428_800, {"region": "eu", "tier": 2}),
    ]


@pytest.mark.emulator
def test_the_documents_sigterm_handler_sends_all_usages(target: Target) -> None:
    code = (
        "import time; from amberflo_workflows.emit import UsageEmitter\n"
        f"{example('SIGTERM')}\n"
        "UsageEmitter('metering-bus', 'my.app', linger=3600).record('acme', 'api-calls', 1)\n"
        "print('ready', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], env=target.environment, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0
    assert [usage["meterValue"] for usage in target.usages()] == [1]


@pytest.mark.emulator
def test_the_documents_lambda_sends_its_usage_before_it_returns_and_repeats_it_unchanged(
    target: Target,
) -> None:
    # Killed as Lambda ends a function: at once, without Python's exit.
    code = (
        f"{example('def handler')}\nimport os\n"
        "event = {'id': '7', 'time': '2025-03-01T12:00:00Z', 'detail': {'tenant': 'acme'}}\n"
        "for _ in range(2): handler(event, None)\n"
        "os.kill(os.getpid(), 9)"
    )
    assert run_python(code, target.environment).returncode == -9
    usage = {
        "tenantId": "acme",
        "meterApiName": "orders",
        "meterValue": 1,
        "meterTimeInMillis": 1_740_830_400_000,
        "uniqueId": "7",
    }
    assert target.usages() == [usage, usage]


@pytest.mark.emulator
@pytest.mark.meters("api-calls")
def test_a_thousand_usages_are_counted_exactly(system: System) -> None:
    values = range(1000)
    with UsageEmitter(system.outputs["EventBusName"], "my.app", client=system.client("events")) as usage:
        for value in values:
            usage.record(
                f"tenant-{value % 3}", "api-calls", value, dimensions={"region": "eu", "trial": value % 2 == 0}
            )
    expected = {f"tenant-{tenant}": sum(values[tenant::3]) for tenant in range(3)}
    deadline = time.monotonic() + 60
    while sandbox_of(system).totals("api-calls") != expected and time.monotonic() < deadline:
        time.sleep(0.1)
    assert sandbox_of(system).totals("api-calls") == expected
