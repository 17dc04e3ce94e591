import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from amberflo_workflows.local.processes import find_free_port

pytestmark = pytest.mark.system

ROOT = Path(__file__).parents[2]
METERING = Path(sys.executable).with_name("metering")


def _read_blocks(*starts: str) -> str:
    """The shell blocks of the README that start with these words, as one script."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    return "".join(next(block for block in blocks if block.startswith(start)) for start in starts)


def _run(script: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    # The AWS CLI of the test requirements comes first.
    path = f"{METERING.parent}{os.pathsep}{os.environ['PATH']}"
    # The machine's settings for PyPI, and the bundles that are built already.
    inherited = {name: value for name, value in os.environ.items() if name.startswith(("UV_", "SSL_", "PIP_"))}
    cache = os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))
    environment = {
        **inherited,
        "PATH": path,
        "HOME": str(folder),
        "XDG_CACHE_HOME": cache,
        "METERING_HOME": str(folder / "metering"),
    }
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],  # noqa: S607 - the path of bash differs between systems
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def _read_call_function() -> str:
    """The definition of ``call``, which later blocks use."""
    return _read_blocks("call()").splitlines(keepends=True)[0]


def _build_csv() -> str:
    now = int(time.time() * 1000)
    rows = [f"acme,api-calls,3,{now}", f"globex,api-calls,4,{now}"]
    return "\n".join(["customer,meterApiName,meterValue,meterTimeInMillis", *rows, ""])


def _build_typing_error() -> str:
    """Create the meter, and send usage whose meter has a typing error."""
    meter = json.dumps({"label": "Calls", "meterApiName": "api-calls", "meterType": "sum_of_all_usage"})
    usage = json.dumps({"tenantId": "acme", "meterApiName": "api-cals", "meterValue": 5})
    return "".join(
        f"call \"${{CONTROL_PLANE_API_ENDPOINT}}{path}\" -d '{body}'\n"
        for path, body in (("meters", meter), ("ingest", usage))
    )


def test_the_commands_of_the_readme_work_unchanged(tmp_path: Path) -> None:
    started = _run(f"{METERING} up --port {find_free_port()}", tmp_path)
    assert started.returncode == 0, started.stderr
    try:
        # Each call prints one line, so that the responses can be separated.
        script = f'eval "$({METERING} env)"\n{_read_blocks("call()")}'.replace(
            "call() { curl -sS", "call() { curl -sS -w '\\n'"
        )
        calls = _run(script, tmp_path)
        history = _run(f'eval "$({METERING} env)"\n{_read_call_function()}{_read_blocks("ARN=")}', tmp_path)
        (tmp_path / "usage.csv").write_text(_build_csv())
        # The first block deletes its meter. The table has usage that the example can redrive.
        prepare = f'eval "$({METERING} env)"\n{_read_call_function()}{_build_typing_error()}cd {tmp_path}\n'
        others = _run(f"{prepare}{_read_blocks('metering backfill', 'metering rejected')}", tmp_path)
    finally:
        _run(f"{METERING} down", tmp_path)
    for process in (calls, history, others):
        assert process.returncode == 0, process.stderr
    assert json.loads(history.stdout)["events"][0]["type"] == "ExecutionStarted"
    assert "2 would be counted, 0 rejected." in others.stdout
    assert "2 counted, 0 rejected." in others.stdout
    assert '"accepted":0' in others.stdout.replace(" ", "")
    assert "1 counted, 0 rejected" in others.stdout
    responses = [json.loads(line) for line in calls.stdout.splitlines() if line.startswith('{"')]
    assert len(responses) >= 8, calls.stdout
    assert [response for response in responses if "statusCode" in response] == []
    assert all("data" in response for response in responses)
    ingested = next(response["data"] for response in responses if "accepted" in response["data"])
    assert ingested["accepted"] == 1
