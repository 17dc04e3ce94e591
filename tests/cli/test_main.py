import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from tests.polling import members, soon

pytestmark = pytest.mark.emulator

METERING = (sys.executable, "-m", "amberflo_workflows.cli.main")
REAL_KEY = "key-of-the-real-amberflo"


@dataclass(frozen=True)
class Shell:
    """Calls ``metering`` as a user would, in a folder of its own."""

    home: Path

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "METERING_HOME": str(self.home), "COLUMNS": "80"}

    def __call__(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        given = {**self.environment, **environment}
        return subprocess.run([*METERING, *arguments], env=given, capture_output=True, text=True, check=False)

    @property
    def pids(self) -> tuple[int, int, int]:
        running = json.loads((self.home / "running.json").read_text())
        console = json.loads((self.home / "console.json").read_text())
        return running["emulator_pid"], running["sandbox_pid"], console["pid"]

    def exported(self) -> dict[str, str]:
        """What a POSIX shell has after it evaluated ``metering env``."""
        script = 'eval "$("$@")"; exec "$PYTHON" -c "import json, os; print(json.dumps(dict(os.environ)))"'
        command = ["sh", "-c", script, "sh", *METERING, "env"]
        environment = {**self.environment, "PYTHON": sys.executable}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        found: dict[str, str] = json.loads(done.stdout)
        return found


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    metering = Shell(tmp_path_factory.mktemp("home"))
    done = metering("up")
    assert done.returncode == 0, done.stderr
    yield metering
    metering("down")


def _meters(environment: dict[str, str], **headers: str) -> requests.Response:
    return requests.get(f"{environment['CONTROL_PLANE_API_ENDPOINT']}meters", headers=headers, timeout=60)


def test_env_makes_a_shell_ready_for_the_api(shell: Shell) -> None:
    exported = shell.exported()
    assert exported["CONTROL_PLANE_API_ENDPOINT"].endswith("/")
    token = {"Authorization": f"Bearer {exported['ACCESS_TOKEN']}"}
    assert _meters(exported, **token).json()["data"] == []
    assert _meters(exported).status_code == 401


def test_env_makes_a_shell_ready_for_an_aws_sdk(shell: Shell) -> None:
    code = "import boto3; print(boto3.client('events').describe_event_bus(Name='{}')['Name'])"
    exported = shell.exported()
    name = exported["EVENT_BUS_NAME"]
    done = subprocess.run(
        [sys.executable, "-c", code.format(name)], env=exported, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == name


def test_a_second_up_says_so_and_changes_nothing(shell: Shell) -> None:
    before = (shell.home / "running.json").read_bytes()
    done = shell("up")
    assert (done.returncode, "Already running" in done.stdout) == (0, True)
    assert (shell.home / "running.json").read_bytes() == before


def test_a_program_is_told_where_things_are(shell: Shell) -> None:
    told = json.loads(shell("up", "--json").stdout)
    facts = json.loads(shell("status", "--json").stdout)
    assert told == {"api": facts["api"], "console": facts["console"], "started": False}


def test_the_sandbox_misbehaves_as_it_is_told(shell: Shell) -> None:
    (told,) = json.loads(shell("fault", "set", "status", "--status", "503", "--times", "2", "--json").stdout)
    assert told.items() >= {"kind": "status", "status": 503, "times": 2}.items()
    assert shell("fault", "clear").stdout == "All faults are cleared.\n"
    assert json.loads(shell("fault", "clear", "--json").stdout) == []
    wrong = shell("fault", "set", "wonderful")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (1, 1)


def test_tokens_are_for_reading_for_changing_or_have_run_out(shell: Shell) -> None:
    exported = shell.exported()
    statuses = {
        option: _meters(exported, Authorization=f"Bearer {shell('token', *option).stdout.strip()}").status_code
        for option in ((), ("--scope", "read"), ("--scope", "write"), ("--expired",))
    }
    assert statuses == {(): 200, ("--scope", "read"): 200, ("--scope", "write"): 403, ("--expired",): 401}


def test_status_says_where_without_a_key(shell: Shell) -> None:
    done = shell("status", "--json")
    facts = json.loads(done.stdout)
    assert requests.get(f"{facts['amberflo']}/_sandbox/health", timeout=10).ok
    assert "Metering <small>local system</small>" in requests.get(f"{facts['console']}executions", timeout=10).text
    assert facts["console"] in shell("console", "--no-browser").stdout
    assert (shell.home / "sandbox.key").read_text() not in done.stdout


def test_an_emulator_that_died_is_told_and_started_again(shell: Shell) -> None:
    os.kill(shell.pids[0], signal.SIGKILL)
    assert soon(lambda: shell("status").returncode == 3)
    told = shell("env").stderr
    assert "the emulator has ended by itself" in told
    assert told.count("\n") == 1
    assert shell("up").returncode == 0
    assert shell("status").returncode == 0
    facts = json.loads(shell("status", "--json").stdout)
    # The console is one of the new emulator, not what was left of the old one's.
    assert requests.get(f"{facts['console']}executions", timeout=30).status_code == 200


def test_what_amberflo_holds_outlives_a_restart_and_nothing_is_left_running(shell: Shell) -> None:
    exported = shell.exported()
    token = {"Authorization": f"Bearer {exported['ACCESS_TOKEN']}"}
    meter = {"label": "Calls", "meterApiName": "calls", "meterType": "sum_of_all_usage"}
    address = f"{exported['CONTROL_PLANE_API_ENDPOINT']}meters"
    assert requests.post(address, json=meter, headers=token, timeout=60).status_code == 201
    pids = shell.pids
    assert shell("down").returncode == 0
    assert [members(pid) for pid in pids] == [[], [], []]
    assert shell("status").returncode == 3
    assert shell("down").stdout == "Nothing was running.\n"
    assert json.loads(shell("down", "--json").stdout) == {"stopped": False}
    assert shell("up").returncode == 0
    exported = shell.exported()
    token = {"Authorization": f"Bearer {exported['ACCESS_TOKEN']}"}
    assert [found["meterApiName"] for found in _meters(exported, **token).json()["data"]] == ["calls"]


def test_the_key_of_the_real_amberflo_is_written_nowhere(tmp_path: Path) -> None:
    shell = Shell(tmp_path / "home")
    real = {"AMBERFLO_BASE_URL": "https://127.0.0.1:9", "AMBERFLO_API_KEY": REAL_KEY}
    try:
        done = shell("up", **real)
        assert done.returncode == 0, done.stderr
        assert REAL_KEY not in done.stdout + shell("status", "--json").stdout + shell("env").stdout
        assert _holding(tmp_path) == []
    finally:
        shell("down")
    assert _holding(tmp_path) == []


def test_half_of_the_settings_of_the_real_amberflo_is_refused(tmp_path: Path) -> None:
    done = Shell(tmp_path)("up", AMBERFLO_API_KEY=REAL_KEY)
    assert done.returncode == 1
    assert "AMBERFLO_BASE_URL and AMBERFLO_API_KEY go together" in done.stderr


def test_nothing_is_left_of_an_up_that_was_killed(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    with subprocess.Popen([*METERING, "up"], env=shell.environment, stdout=subprocess.DEVNULL) as starting:
        log = tmp_path / "sandbox.log"
        assert soon(log.exists)
        time.sleep(0.2)
        starting.kill()
    assert soon(lambda: _using(tmp_path) == [])


def _holding(folder: Path) -> list[str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [str(path) for path in files if REAL_KEY.encode() in path.read_bytes()]


def _using(folder: Path) -> list[Any]:
    return [
        process.info
        for process in psutil.process_iter(["pid", "cwd", "status"])
        if str(process.info["cwd"]).startswith(str(folder)) and process.info["status"] != psutil.STATUS_ZOMBIE
    ]
