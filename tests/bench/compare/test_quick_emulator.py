"""The wait that the benchmark takes out of the emulator is still where it looks for it."""

from tests.packages import read_source


def test_an_invocation_ends_with_a_wait_for_log_lines() -> None:
    source = read_source("ministack.core.lambda_runtime")
    assert "    def _drain_stderr(self) -> str:\n" in source
    assert "log = self._drain_stderr_bounded()\n" in source
