import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from amberflo_workflows.local.processes import free_port

pytestmark = pytest.mark.system

ROOT = Path(__file__).parents[2]
METERING = Path(sys.executable).with_name("metering")


def _blocks(*beginnings: str) -> str:
    """The shell blocks of the README that begin so, as one script."""
    found = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    return "".join(next(block for block in found if block.startswith(beginning)) for beginning in beginnings)


def _run(script: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    # The AWS command line of the test requirements, whatever the machine has.
    path = f"{METERING.parent}{os.pathsep}{os.environ['PATH']}"
    # How this machine reaches PyPI, and the bundles that are built already.
    kept = {name: value for name, value in os.environ.items() if name.startswith(("UV_", "SSL_", "PIP_"))}
    cache = os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))
    environment = {
        **kept,
        "PATH": path,
        "HOME": str(folder),
        "XDG_CACHE_HOME": cache,
        "METERING_HOME": str(folder / "metering"),
    }
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],  # noqa: S607 - bash is where the system has it
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def _helper() -> str:
    """The definition of ``call`` that the later blocks go on with."""
    return _blocks("call()").splitlines(keepends=True)[0]


def _file_of_usages() -> str:
    now = int(time.time() * 1000)
    rows = [f"acme,api-calls,3,{now}", f"globex,api-calls,4,{now}"]
    return "\n".join(["customer,meterApiName,meterValue,meterTimeInMillis", *rows, ""])


def test_the_readmes_calls_work_as_they_stand(tmp_path: Path) -> None:
    started = _run(f"{METERING} up --port {free_port()}", tmp_path)
    assert started.returncode == 0, started.stderr
    try:
        # Each call prints one line, so that what they answered can be told apart.
        script = f'eval "$({METERING} env)"\n{_blocks("call()")}'.replace(
            "call() { curl -sS", "call() { curl -sS -w '\\n'"
        )
        done = _run(script, tmp_path)
        history = _run(f'eval "$({METERING} env)"\n{_helper()}{_blocks("ARN=")}', tmp_path)
        (tmp_path / "usage.csv").write_text(_file_of_usages())
        others = _run(f"cd {tmp_path}\n{_blocks('metering backfill', 'metering rejected')}", tmp_path)
    finally:
        _run(f"{METERING} down", tmp_path)
    for ended in (done, history, others):
        assert ended.returncode == 0, ended.stderr
    assert json.loads(history.stdout)["events"][0]["type"] == "ExecutionStarted"
    assert "2 would be counted, 0 refused." in others.stdout
    assert "2 counted, 0 refused." in others.stdout
    answers = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"')]
    assert len(answers) >= 8, done.stdout
    assert [answer for answer in answers if "statusCode" in answer] == []
    assert all("data" in answer for answer in answers)
    ingested = next(answer["data"] for answer in answers if "accepted" in answer["data"])
    assert ingested["accepted"] == 1
