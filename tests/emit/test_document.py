"""The examples of docs/emit.md for other languages, on the local system.

That for TypeScript needs the AWS SDK from npm, which no test installs.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from amberflo_workflows.local.system import System
from tests.conftest import sandbox_of
from tests.packages import ROOT
from tests.polling import wait_until

pytestmark = [pytest.mark.emulator, pytest.mark.meters("api-calls")]


def _read_example(language: str, text: str) -> str:
    """The example in this language that has a text."""
    blocks = re.findall(rf"```{language}\n(.*?)```", (ROOT / "docs" / "emit.md").read_text(), re.DOTALL)
    (example,) = (block for block in blocks if text in block)
    return str(example)


def _build_environment(system: System) -> dict[str, str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    bus = {"EVENT_BUS_NAME": system.outputs["EventBusName"]}
    api = {"CONTROL_PLANE_API_ENDPOINT": system.api_endpoint, "ACCESS_TOKEN": system.access_token}
    return {"PATH": path, **bus, **api, **system.emulator.environment}


def test_the_aws_command_line_reports_usage(system: System) -> None:
    command = ["sh", "-ec", _read_example("sh", "aws events put-events")]
    subprocess.run(command, env=_build_environment(system), check=True, capture_output=True)
    assert wait_until(lambda: sandbox_of(system).totals("api-calls") == {"acme": 3})


@pytest.mark.skipif(shutil.which("java") is None, reason="Java is not installed")
def test_java_reports_usage_once(system: System, tmp_path: Path) -> None:
    (tmp_path / "ReportUsage.java").write_text(_read_example("java", "Idempotency-Key"))
    for _ in range(2):
        command = ["java", str(tmp_path / "ReportUsage.java")]
        done = subprocess.run(command, env=_build_environment(system), check=True, capture_output=True, text=True)
        assert done.stdout.startswith('200 {"data":{"accepted":1,'), done.stdout
    assert sandbox_of(system).totals("api-calls") == {"acme": 3}
