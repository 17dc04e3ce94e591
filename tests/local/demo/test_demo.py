import json
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from amberflo_workflows.local.demo.usages import BadFile, generated, read, totals

METERING = str(Path(sys.executable).with_name("metering"))


def _file(folder: Path, text: str) -> Path:
    path = folder / "usages"
    path.write_text(text)
    return path


def _demo(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([METERING, "demo", *arguments], capture_output=True, text=True, check=False)


def test_generated_usages_are_the_same_every_time_but_for_their_moment() -> None:
    first, second = generated(), generated()
    assert totals(first) == totals(second)
    assert len(first) == 600


def test_a_csv_file_gives_numbers_and_dimensions(tmp_path: Path) -> None:
    header = "tenantId,meterApiName,meterValue,meterTimeInMillis,region"
    first, second = read(_file(tmp_path, f"{header}\nt1,calls,2.5,1700000000000,eu\nt2,calls,1,,\n"))
    named = {"tenantId": "t1", "meterApiName": "calls", "meterValue": 2.5}
    assert first == {**named, "meterTimeInMillis": 1_700_000_000_000, "region": "eu"}
    assert second == {"tenantId": "t2", "meterApiName": "calls", "meterValue": 1}


def test_a_file_with_a_json_object_a_line_is_taken_as_it_is(tmp_path: Path) -> None:
    usage = {"tenantId": "t1", "meterApiName": "calls", "meterValue": 2, "region": "eu"}
    assert read(_file(tmp_path, f"\ufeff{json.dumps(usage)}\n\n{json.dumps(usage)}\n")) == [usage, usage]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no usages"),
        ("tenantId,meterApiName\nt1,calls\n", "line 2: a usage needs tenantId, meterApiName, meterValue"),
        ("tenantId,meterApiName,meterValue\nt1,calls,1\nt1,calls,many\n", "line 3: could not convert"),
        ('{"tenantId": "t1"}\n', "line 1: a usage needs"),
        ('{"tenantId": "t1", "meterApiName": "m", "meterValue": 1}\n{"tenantId"\n', "line 2: not JSON"),
    ],
)
def test_a_file_that_is_none_says_where_and_why(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(BadFile, match=message):
        read(_file(tmp_path, text))


def test_a_missing_file_is_one_line_and_a_failure(tmp_path: Path) -> None:
    done = _demo("--events", str(tmp_path / "none.csv"))
    assert done.returncode == 1
    assert "cannot be read" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_same_usage_twice_with_one_identity_is_expected_once() -> None:
    named = {"tenantId": "t", "meterApiName": "m", "meterValue": 2, "uniqueId": "u"}
    unnamed = {"tenantId": "t", "meterApiName": "m", "meterValue": 3}
    assert totals([named, named, unnamed, unnamed]) == {("m", "t"): 8}


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
