import json
import os
import shutil
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
from typer.testing import CliRunner

import amberflo_workflows
from amberflo_workflows.cli.main import app
from tests.cli.forked import run_forked
from tests.polling import session_processes, wait_until

pytestmark = pytest.mark.emulator

METERING = (sys.executable, "-m", "amberflo_workflows.cli.main")
REAL_KEY = "key-of-the-real-amberflo"


@dataclass(frozen=True)
class Shell:
    """Calls ``metering`` as a user does, in a folder of its own."""

    home: Path

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "METERING_HOME": str(self.home), "COLUMNS": "80"}

    def __call__(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        variables = {**self.environment, **environment}
        return subprocess.run([*METERING, *arguments], env=variables, capture_output=True, text=True, check=False)

    @property
    def pids(self) -> tuple[int, int, int]:
        running = json.loads((self.home / "running.json").read_text())
        console = json.loads((self.home / "console.json").read_text())
        return running["emulator_pid"], running["sandbox_pid"], console["pid"]

    def evaluate_env(self) -> dict[str, str]:
        """Return the environment of a POSIX shell after it evaluated ``metering env``."""
        script = 'eval "$("$@")"; exec "$PYTHON" -c "import json, os; print(json.dumps(dict(os.environ)))"'
        command = ["sh", "-c", script, "sh", *METERING, "env"]
        environment = {**self.environment, "PYTHON": sys.executable}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        variables: dict[str, str] = json.loads(done.stdout)
        return variables


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    metering = Shell(tmp_path_factory.mktemp("home"))
    done = metering("up")
    assert done.returncode == 0, done.stderr
    yield metering
    metering("down")


def _list_meters(environment: dict[str, str], **headers: str) -> requests.Response:
    return requests.get(f"{environment['CONTROL_PLANE_API_ENDPOINT']}meters", headers=headers, timeout=60)


def test_env_makes_the_command_work_in_another_folder(shell: Shell, tmp_path: Path) -> None:
    exported = shell.evaluate_env()
    command = shutil.which("metering", path=exported["PATH"])
    assert command
    options: dict[str, Any] = {"capture_output": True, "text": True}
    done = subprocess.run([command, "status"], check=False, cwd=tmp_path, env=exported, **options)
    assert done.returncode == 0, done.stderr
    (tmp_path / "other").mkdir()
    elsewhere = {**exported, "METERING_HOME": str(tmp_path / "other")}
    failed = subprocess.run([command, "meters", "list"], check=False, env=elsewhere, **options)
    text = "".join(failed.stderr.split())
    assert (failed.returncode, f"nothingisrunningin{tmp_path / 'other'}" in text) == (3, True), failed.stderr


def test_env_sets_up_a_shell_for_the_api(shell: Shell) -> None:
    exported = shell.evaluate_env()
    assert exported["CONTROL_PLANE_API_ENDPOINT"].endswith("/")
    token = {"Authorization": f"Bearer {exported['ACCESS_TOKEN']}"}
    assert _list_meters(exported, **token).status_code == 200
    assert _list_meters(exported).status_code == 401


def test_env_sets_up_a_shell_for_an_aws_sdk(shell: Shell) -> None:
    code = "import boto3; print(boto3.client('events').describe_event_bus(Name='{}')['Name'])"
    exported = shell.evaluate_env()
    name = exported["EVENT_BUS_NAME"]
    done = subprocess.run(
        [sys.executable, "-c", code.format(name)], env=exported, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == name


def test_a_second_up_changes_nothing(shell: Shell) -> None:
    before = (shell.home / "running.json").read_bytes()
    done = shell("up")
    assert (done.returncode, "Already running" in done.stdout) == (0, True)
    assert (shell.home / "running.json").read_bytes() == before


def test_up_prints_the_addresses_as_json(shell: Shell) -> None:
    output = json.loads(shell("up", "--json").stdout)
    facts = json.loads(shell("status", "--json").stdout)
    assert output == {"api": facts["api"], "console": facts["console"], "started": False}


def _complete(shell: Shell, typed: str) -> list[str]:
    # The last word is completed, which is empty after a blank.
    words = {"COMP_WORDS": typed, "COMP_CWORD": str(len(typed.split(" ")) - 1)}
    environment = {**shell.environment, "_METERING_COMPLETE": "complete_bash", **words}
    return run_forked([], environment).stdout.split()


def test_the_shell_completes_meters_and_executions(shell: Shell) -> None:
    created = shell("meters", "create", "Completed", "--name", "completed-calls", "--type", "sum_of_all_usage")
    assert created.returncode == 0, created
    assert _complete(shell, "metering usage fetch compl") == ["completed-calls"]
    assert _complete(shell, "metering usage fetch none") == []
    assert "completed-calls" in _complete(shell, "metering meters show ")
    names = [execution["name"] for execution in json.loads(shell("executions", "list", "--json").stdout)]
    assert set(names) <= set(_complete(shell, "metering executions show "))
    # Listing the meters for the completion is not among what people started.
    assert not any(name.startswith("console-") for name in names)
    assert shell("meters", "delete", "completed-calls", "--yes").returncode == 0


def test_faults_are_set_and_cleared(shell: Shell) -> None:
    (fault,) = json.loads(shell("fault", "set", "status", "--status", "503", "--times", "2", "--json").stdout)
    assert fault.items() >= {"kind": "status", "status": 503, "times": 2}.items()
    assert shell("fault", "clear").stdout == "All faults are cleared.\n"
    assert json.loads(shell("fault", "clear", "--json").stdout) == []
    wrong = shell("fault", "set", "wonderful")
    assert (wrong.returncode, "'trickle', 'accept_then_drop', 'accept_then_status'" in wrong.stderr) == (2, True)
    for option in (("--share", "0"), ("--share", "nan"), ("--seconds", "inf"), ("--times", "0"), ("--status", "99")):
        wrong = shell("fault", "set", "delay", *option)
        assert (wrong.returncode, option[0] in wrong.stderr, wrong.stdout) == (2, True, ""), wrong


def test_tokens_are_for_reading_or_writing_or_expired(shell: Shell) -> None:
    exported = shell.evaluate_env()
    statuses = {
        option: _list_meters(exported, Authorization=f"Bearer {shell('token', *option).stdout.strip()}").status_code
        for option in ((), ("--scope", "read"), ("--scope", "write"), ("--expired",))
    }
    assert statuses == {(): 200, ("--scope", "read"): 200, ("--scope", "write"): 403, ("--expired",): 401}


def test_status_prints_addresses_and_no_key(shell: Shell) -> None:
    done = shell("status", "--json")
    facts = json.loads(done.stdout)
    assert requests.get(f"{facts['amberflo']}/_sandbox/health", timeout=10).ok
    assert "Metering <small>local system</small>" in requests.get(f"{facts['console']}executions", timeout=10).text
    assert facts["console"] in shell("console", "--no-browser").stdout
    assert (shell.home / "sandbox.key").read_text() not in done.stdout


def test_up_restarts_an_emulator_that_died(shell: Shell) -> None:
    os.kill(shell.pids[0], signal.SIGKILL)
    assert wait_until(lambda: shell("status").returncode == 3)
    error = shell("env").stderr
    assert "the emulator stopped unexpectedly" in error
    assert error.count("\n") == 1
    assert shell("up").returncode == 0
    assert shell("status").returncode == 0
    facts = json.loads(shell("status", "--json").stdout)
    # The console is that of the new emulator.
    assert requests.get(f"{facts['console']}executions", timeout=30).status_code == 200


def test_meters_survive_a_restart_and_down_ends_all_processes(shell: Shell) -> None:
    exported = shell.evaluate_env()
    token = {"Authorization": f"Bearer {exported['ACCESS_TOKEN']}"}
    meter = {"label": "Calls", "meterApiName": "calls", "meterType": "sum_of_all_usage"}
    address = f"{exported['CONTROL_PLANE_API_ENDPOINT']}meters"
    assert requests.post(address, json=meter, headers=token, timeout=60).status_code == 201
    pids = shell.pids
    assert shell("down").returncode == 0
    assert [session_processes(pid) for pid in pids] == [[], [], []]
    assert shell("status").returncode == 3
    assert shell("down").stdout == "Nothing was running.\n"
    assert json.loads(shell("down", "--json").stdout) == {"stopped": False}
    assert shell("up").returncode == 0
    exported = shell.evaluate_env()
    token = {"Authorization": f"Bearer {exported['ACCESS_TOKEN']}"}
    assert [item["meterApiName"] for item in _list_meters(exported, **token).json()["data"]] == ["calls"]


def test_the_key_of_the_real_amberflo_is_not_stored(tmp_path: Path) -> None:
    shell = Shell(tmp_path / "home")
    real = {"AMBERFLO_BASE_URL": "https://127.0.0.1:9", "AMBERFLO_API_KEY": REAL_KEY}
    try:
        done = shell("up", **real)
        assert done.returncode == 0, done.stderr
        assert REAL_KEY not in done.stdout + shell("status", "--json").stdout + shell("env").stdout
        assert _find_files_with_key(tmp_path) == []
    finally:
        shell("down")
    assert _find_files_with_key(tmp_path) == []


def test_up_requires_both_settings_of_the_real_amberflo(tmp_path: Path) -> None:
    done = Shell(tmp_path)("up", AMBERFLO_API_KEY=REAL_KEY)
    assert done.returncode == 1
    assert "Set both AMBERFLO_BASE_URL and AMBERFLO_API_KEY" in done.stderr


def test_killing_up_ends_all_processes(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    with subprocess.Popen([*METERING, "up"], env=shell.environment, stdout=subprocess.DEVNULL) as process:
        log = tmp_path / "sandbox.log"
        assert wait_until(log.exists)
        time.sleep(0.2)
        process.kill()
    assert wait_until(lambda: _find_processes_in(tmp_path) == [])


def _find_files_with_key(folder: Path) -> list[str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [str(path) for path in files if REAL_KEY.encode() in path.read_bytes()]


def _find_processes_in(folder: Path) -> list[Any]:
    return [
        process.info
        for process in psutil.process_iter(["pid", "cwd", "status"])
        if str(process.info["cwd"]).startswith(str(folder)) and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


def test_the_version_is_that_of_the_package() -> None:
    done = CliRunner().invoke(app, ["--version"])
    assert (done.exit_code, done.stdout) == (0, f"metering {amberflo_workflows.__version__}\n")


@pytest.mark.parametrize("command", [(), ("rejected",), ("rejected", "drop")])
def test_every_command_has_a_short_option_for_its_help(command: tuple[str, ...]) -> None:
    short, long = (CliRunner().invoke(app, [*command, option]) for option in ("-h", "--help"))
    assert (short.exit_code, short.stdout) == (0, long.stdout)
