"""Test ids are the same in every process: workers that collect different ids cannot share the tests."""

import os
import subprocess
import sys

import pytest

from tests.packages import ROOT


def _collect(hash_seed: str) -> list[str]:
    """Collect the test ids in another process."""
    options = ["--collect-only", "-q", "-p", "no:randomly", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "tests"],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]
    return [line for line in done.stdout.splitlines() if "::" in line]


def test_ids_do_not_depend_on_time_hash_seed_or_memory_addresses(request: pytest.FixtureRequest) -> None:
    ids = set(_collect("1"))
    assert len(ids) > 1000
    assert [test_id for test_id in ids if " at 0x" in test_id] == []
    # This process has collected the same tests earlier, with another seed, unless it runs only some of them.
    own = {item.nodeid for item in request.session.items}
    assert ids == (own if len(own) > 1000 else set(_collect("2")))
