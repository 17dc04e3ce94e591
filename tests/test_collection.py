"""Test ids are the same in every process: workers that collect different ids cannot share the tests."""

import os
import subprocess
import sys
import time

from tests.packages import ROOT


def _start_collection(hash_seed: str) -> "subprocess.Popen[str]":
    options = ["--collect-only", "-q", "-p", "no:randomly", "-p", "no:cacheprovider"]
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", *options, "tests"],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        stdout=subprocess.PIPE,
        text=True,
    )


def _ids(collection: "subprocess.Popen[str]") -> list[str]:
    output, _ = collection.communicate()
    assert collection.returncode == 0, output[-2000:]
    return [line for line in output.splitlines() if "::" in line]


def test_ids_do_not_depend_on_time_hash_seed_or_memory_addresses() -> None:
    first = _start_collection("1")
    # An id with the current second in it differs between the two.
    time.sleep(2)
    second = _start_collection("2")
    ids = _ids(first)
    assert ids == _ids(second)
    assert len(ids) > 1000
    assert [test_id for test_id in ids if " at 0x" in test_id] == []
