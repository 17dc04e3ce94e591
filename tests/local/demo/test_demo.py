import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from amberflo_workflows.local.demo.usages import generate_usages
from amberflo_workflows.operate.usage_files import compute_totals

pytestmark = pytest.mark.long

METERING = str(Path(sys.executable).with_name("metering"))


def _file(folder: Path, text: str) -> Path:
    path = folder / "usages"
    path.write_text(text)
    return path


def _demo(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "TMPDIR": str(folder)}
    command = [METERING, "demo", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_generated_usages_differ_only_in_their_times() -> None:
    first, second = generate_usages(), generate_usages()
    assert compute_totals(first) == compute_totals(second)
    assert len(first) == 600


def test_a_missing_file_is_a_one_line_error(tmp_path: Path) -> None:
    process = _demo(tmp_path, "--events", str(tmp_path / "none.csv"))
    assert process.returncode == 1
    assert "cannot be read" in process.stderr
    assert "Traceback" not in process.stderr


@pytest.mark.system
def test_the_demo_with_a_file_succeeds_and_leaves_no_process(tmp_path: Path) -> None:
    lines = [json.dumps({"tenantId": f"t{n % 3}", "meterApiName": "calls", "meterValue": n + 0.5}) for n in range(90)]
    process = _demo(tmp_path, "--events", str(_file(tmp_path, "\n".join(lines))))
    assert process.returncode == 0, process.stdout + process.stderr
    assert "All totals are as expected." in process.stdout
    assert "differs" not in process.stdout
    assert re.findall(r"\b1\d{9}\b", process.stdout) == [], "a time as a number"
    processes = [process.info for process in psutil.process_iter(["cmdline", "cwd"])]
    assert [info for info in processes if str(tmp_path) in str(info)] == []


@pytest.mark.system
def test_the_demo_fails_with_the_reason_if_usage_is_rejected(tmp_path: Path) -> None:
    usage = {"tenantId": "t", "meterApiName": "calls", "meterValue": 1}
    old = {**usage, "meterTimeInMillis": int((time.time() - 70 * 86_400) * 1000)}
    process = _demo(
        tmp_path, "--events", str(_file(tmp_path, "\n".join(json.dumps(item) for item in (usage, old, usage))))
    )
    assert process.returncode == 1
    assert "differs" in process.stdout
    assert "it is more than 60 days old" in process.stdout
