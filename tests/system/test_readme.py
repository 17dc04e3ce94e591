import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from amberflo_workflows.local.processes import free_port

pytestmark = pytest.mark.system

ROOT = Path(__file__).parents[2]
METERING = Path(sys.executable).with_name("metering")
# What stands in for a program that this machine has not; the calls of it are then not made.
NO_AWS = 'aws() { echo "the AWS command line is not installed: not run: aws $1 $2" >&2; }\n'


def _curl_block() -> str:
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    (block,) = [block for block in blocks if block.startswith("call()")]
    return str(block)


def _run(script: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "METERING_HOME": str(folder / "metering")}
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],  # noqa: S607 - bash is where the system has it
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_readmes_calls_work_as_they_stand(tmp_path: Path) -> None:
    started = _run(f"{METERING} up --port {free_port()}", tmp_path)
    assert started.returncode == 0, started.stderr
    try:
        aws = "" if shutil.which("aws") else NO_AWS
        # Each call prints one line, so that what they answered can be told apart.
        script = f'eval "$({METERING} env)"\n{aws}{_curl_block()}'.replace(
            "call() { curl -sS", "call() { curl -sS -w '\\n'"
        )
        done = _run(script, tmp_path)
    finally:
        _run(f"{METERING} down", tmp_path)
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"')]
    assert len(answers) >= 8, done.stdout
    assert [answer for answer in answers if "statusCode" in answer] == []
    assert all("data" in answer for answer in answers)
    ingested = next(answer["data"] for answer in answers if "accepted" in answer["data"])
    assert ingested["accepted"] == 1
    if aws:
        pytest.skip("the AWS command line is not installed: its calls in the README were not run")
