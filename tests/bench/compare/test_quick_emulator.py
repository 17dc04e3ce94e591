"""The wait that the benchmark takes out of the emulator is still where it looks for it."""

import importlib.util
from pathlib import Path


def _read_source(module: str) -> str:
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).read_text()


def test_an_invocation_ends_with_a_wait_for_log_lines() -> None:
    source = _read_source("ministack.core.lambda_runtime")
    assert "    def _drain_stderr(self) -> str:\n" in source
    assert "log = self._drain_stderr_bounded()\n" in source
