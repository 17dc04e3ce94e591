"""The commands of the README, in a copy of the repository whose path has a blank, with an environment of its own."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from amberflo_workflows.local.deploy import deploy
from amberflo_workflows.local.emulator import Emulator
from amberflo_workflows.local.processes import Server, find_free_port
from tests.infra.control_plane import STACK, synth_control_plane
from tests.packages import INHERITED, ROOT

pytestmark = [pytest.mark.system, pytest.mark.long]

# What a fresh clone does not have.
LOCAL_FOLDERS = (".git", ".venv", ".metering", "build", "dist", "__pycache__", ".*_cache", ".hypothesis")
METERING = "./.venv/bin/metering"
CDK = "--require-approval never"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository after ``make setup``."""
    folder = tmp_path_factory.mktemp("readme") / "my project"
    shutil.copytree(ROOT, folder, symlinks=True, ignore=shutil.ignore_patterns(*LOCAL_FOLDERS))
    result = _run(f"make setup PYTHON={shlex.quote(sys.executable)}", folder)
    assert result.returncode == 0, result.stderr
    return folder


def _read_blocks(*starts: str) -> str:
    """The shell blocks of the README that start with these words, as one script."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    return "".join(next(block for block in blocks if block.startswith(start)) for start in starts)


def _run(script: str, project: Path) -> "subprocess.CompletedProcess[str]":
    # The commands of the project come first, and after them the AWS CLI of the test requirements.
    path = os.pathsep.join([str(project / ".venv" / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]])
    # The machine's settings for PyPI, npm and CDK, and what was fetched or built already.
    settings = (*INHERITED, "NODE_", "NPM_CONFIG_", "npm_config_")
    inherited = {name: value for name, value in os.environ.items() if name.startswith(settings)}
    cache = os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))
    environment = {
        **inherited,
        "PATH": path,
        "HOME": str(project.parent),
        "XDG_CACHE_HOME": cache,
        "NPM_CONFIG_CACHE": os.environ.get("NPM_CONFIG_CACHE", str(Path.home() / ".npm")),
        "METERING_HOME": str(project / ".metering"),
    }
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],  # noqa: S607 - the path of bash differs between systems
        cwd=project,
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


def _deploy_stacks(project: Path, settings: str) -> list["subprocess.CompletedProcess[str]"]:
    """Add metering to a control plane, and deploy the standalone stack."""
    values = json.loads(_run(f"{METERING} env --json", project).stdout)
    emulator = Emulator(values["AWS_ENDPOINT_URL"], Server(0, 0.0))
    deploy(emulator, synth_control_plane(project.parent / "control-plane"), STACK)
    commands = (
        f'make attach ARGS="{STACK} {CDK} -c stackName=Attached"',
        f'make deploy ARGS="{CDK} -c stackName=Deployed"',
    )
    return [_run(f"{settings}{command}", project) for command in commands]


def test_the_commands_of_the_readme_work_unchanged(project: Path) -> None:
    started = _run(f'make up ARGS="--port {find_free_port()}"', project)
    assert started.returncode == 0, started.stderr
    try:
        # Each call prints one line, so that the responses can be separated.
        settings = _read_blocks("make up").splitlines()[1]
        assert settings.startswith('eval "$(.venv/bin/metering env)"')
        settings += "\n"
        script = f"{settings}{_read_blocks('call()')}".replace("call() { curl -sS", "call() { curl -sS -w '\\n'")
        # CDK mostly waits, so the other commands run meanwhile.
        with ThreadPoolExecutor(1) as pool:
            deployments = pool.submit(_deploy_stacks, project, settings)
            calls = _run(script, project)
            history = _run(f"{settings}{_read_call_function()}{_read_blocks('ARN=')}", project)
            (project / "usage.csv").write_text(_build_csv())
            # The first block deletes its meter. The table has usage that the example can redrive.
            prepare = f"{settings}{_read_call_function()}{_build_typing_error()}"
            others = _run(f"{prepare}{_read_blocks('metering backfill', 'metering rejected')}", project)
            attached, deployed = deployments.result()
    finally:
        stopped = _run("make down", project)
    for process in (calls, history, others, attached, deployed, stopped):
        assert process.returncode == 0, process.stderr
    assert ":stack/Attached/" in attached.stdout
    assert ":stack/Deployed/" in deployed.stdout
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


def test_make_builds_and_generates_in_a_folder_with_a_blank(project: Path) -> None:
    before = {name: (project / name).read_text() for name in ("README.md", "entrypoints/openapi.json")}
    result = _run("make synth wheel openapi pictures", project)
    assert result.returncode == 0, result.stderr
    assert (project / "build" / "cdk.out" / "AmberfloMetering.template.json").is_file()
    assert len(list((project / "dist").glob("*.whl"))) == 1
    assert {name: (project / name).read_text() for name in before} == before
