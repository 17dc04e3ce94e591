"""The waits that the local system takes out of the emulator are still where it looks for them."""

import importlib.util
from pathlib import Path
from socketserver import StreamRequestHandler

from amberflo_workflows.local.emulator_server import EXECUTION_PAUSE_SECONDS


def _read_source(module: str) -> str:
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).read_text()


def test_an_execution_starts_with_the_pause() -> None:
    source = _read_source("ministack.services.stepfunctions")
    assert "\nimport time\n" in source
    assert f"    time.sleep({EXECUTION_PAUSE_SECONDS})\n" in source


def test_the_api_of_a_lambda_is_a_server_whose_packets_would_wait() -> None:
    assert StreamRequestHandler.disable_nagle_algorithm is False
    assert "BaseHTTPRequestHandler" in _read_source("ministack.core.lambda_runtime")
