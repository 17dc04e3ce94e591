import json
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from amberflo_workflows.local.demo.usages import generate_usages
from amberflo_workflows.operate.usage_files import compute_totals

METERING = str(Path(sys.executable).with_name("metering"))


def _file(folder: Path, text: str) -> Path:
    path = folder / "usages"
    path.write_text(text)
    return path


def _demo(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([METERING, "demo", *arguments], capture_output=True, text=True, check=False)


def test_generated_usages_differ_only_in_their_times() -> None:
    first, second = generate_usages(), generate_usages()
    assert compute_totals(first) == compute_totals(second)
    assert len(first) == 600


def test_a_missing_file_is_one_line_and_a_failure(tmp_path: Path) -> None:
    done = _demo("--events", str(tmp_path / "none.csv"))
    assert done.returncode == 1
    assert "cannot be read" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.system
def test_the_demo_of_a_users_own_file_succeeds_and_leaves_nothing_running(tmp_path: Path) -> None:
    before = {process.pid for process in psutil.process_iter()}
    lines = [json.dumps({"tenantId": f"t{n % 3}", "meterApiName": "calls", "meterValue": n + 0.5}) for n in range(90)]
    done = _demo("--events", str(_file(tmp_path, "\n".join(lines))))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All totals are as expected." in done.stdout
    assert "differs" not in done.stdout
    left = [process for process in psutil.process_iter(["cmdline"]) if process.pid not in before]
    assert [p.info["cmdline"] for p in left if "metering-demo" in str(p.info["cmdline"])] == []


@pytest.mark.system
def test_the_demo_fails_and_says_why_when_usage_is_refused(tmp_path: Path) -> None:
    usage = {"tenantId": "t", "meterApiName": "calls", "meterValue": 1}
    old = {**usage, "meterTimeInMillis": int((time.time() - 70 * 86_400) * 1000)}
    done = _demo("--events", str(_file(tmp_path, "\n".join(json.dumps(u) for u in (usage, old, usage)))))
    assert done.returncode == 1
    assert "differs" in done.stdout
    assert "it is more than 60 days old" in done.stdout
