"""The pauses that the benchmark takes out of the emulator are still where it looks for them."""

import importlib.util
from pathlib import Path

from tests.bench.compare.quick_emulator import _EXECUTION_PAUSE_SECONDS


def _read_source(module: str) -> str:
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).read_text()


def test_an_execution_starts_with_the_pause() -> None:
    assert f"    time.sleep({_EXECUTION_PAUSE_SECONDS})\n" in _read_source("ministack.services.stepfunctions")


def test_an_invocation_ends_with_a_wait_for_log_lines() -> None:
    source = _read_source("ministack.core.lambda_runtime")
    assert "    def _drain_stderr(self) -> str:\n" in source
    assert "log = self._drain_stderr_bounded()\n" in source
