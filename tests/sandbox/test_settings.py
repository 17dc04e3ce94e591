"""Every switch in both positions: as it is by default, and as the command line sets it."""

import contextlib
import dataclasses
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from amberflo_workflows.sandbox.client import SandboxClient
from amberflo_workflows.sandbox.settings import SandboxSettings
from tests.sandbox.conftest import KEY, METER, Amberflo, record

COMMAND = [sys.executable, "-m", "amberflo_workflows.sandbox"]
OPTIONS = [
    *("--strict", "--same-key-new-value", "keep_both", "--missing-meter", "404", "--max-body-bytes", "1000"),
    *("--visibility-delay-seconds", "0.5", "--rule-delay-seconds", "0.5"),
]
RULES = "/ingest-snapshot/custom-filtering-rules"


@contextlib.contextmanager
def _served(*options: str) -> Iterator[Amberflo]:
    """A sandbox as the command line starts it, until SIGTERM."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    client = SandboxClient(f"http://127.0.0.1:{port}")
    environment = {**os.environ, "SANDBOX_API_KEY": KEY}
    with subprocess.Popen([*COMMAND, "--port", str(port), *options], env=environment) as process:
        try:
            _until(lambda: _answers(client), 20)
            yield Amberflo(client)
        finally:
            process.terminate()
            process.wait(20)


def _answers(client: SandboxClient) -> bool:
    with contextlib.suppress(requests.ConnectionError):
        client.requests()
        return True
    return False


def _until(holds: Callable[[], Any], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _total(amberflo: Amberflo) -> float:
    return sum(amberflo.sandbox.totals("api-calls").values())


def _status(amberflo: Amberflo, method: str, path: str, body: Any = None) -> int:
    return amberflo.call(method, path, body).status_code


def _same_key(amberflo: Amberflo) -> float:
    amberflo.ingest(record(meterValue=1), record(meterValue=5), record(meterValue=5))
    _until(lambda: _total(amberflo), 5)
    return _total(amberflo)


def _shown_at_once(amberflo: Amberflo) -> float:
    amberflo.ingest(record())
    at_once = _total(amberflo)
    _until(lambda: _total(amberflo), 5)
    return at_once


def _left_by_a_new_rule(amberflo: Amberflo) -> float:
    amberflo.ingest(record())
    _until(lambda: _total(amberflo), 5)
    window = {"startTimeInSeconds": int(time.time()) - 60, "endTimeInSeconds": int(time.time()) + 60}
    rule = {"id": "r", "meterApiName": "api-calls", "ingestionTimeRange": window, "type": "by_property_filter_out"}
    amberflo.json("POST", RULES, rule)
    left = _total(amberflo)
    _until(lambda: not _total(amberflo), 5)
    return left


PROBES: list[tuple[str, Callable[[Amberflo], float], float, float]] = [
    ("strict", lambda amberflo: _status(amberflo, "POST", "/ingest", record(dimensions={"a": "b/c"})), 200, 400),
    ("same_key_new_value", _same_key, 5, 6),
    ("missing_meter", lambda amberflo: _status(amberflo, "GET", "/meters/unknown"), 200, 404),
    ("max_body_bytes", lambda amberflo: _status(amberflo, "POST", "/ingest", [record()] * 10), 200, 413),
    ("visibility_delay_seconds", _shown_at_once, 1, 0),
    ("rule_delay_seconds", _left_by_a_new_rule, 0, 1),
]


@pytest.fixture(scope="module")
def _set_otherwise() -> Iterator[Amberflo]:
    with _served(*OPTIONS) as served:
        yield served


@pytest.mark.parametrize(("setting", "probe", "by_default", "otherwise"), PROBES, ids=[probe[0] for probe in PROBES])
def test_each_switch_works_in_both_positions(
    amberflo: Amberflo,
    _set_otherwise: Amberflo,  # noqa: PT019 - its value is used
    setting: str,  # noqa: ARG001 - names the test
    probe: Callable[[Amberflo], float],
    by_default: float,
    otherwise: float,
) -> None:
    _set_otherwise.sandbox.reset()
    assert (probe(amberflo), probe(_set_otherwise)) == (by_default, otherwise)


def test_no_switch_is_left_out() -> None:
    assert [probe[0] for probe in PROBES] == [field.name for field in dataclasses.fields(SandboxSettings)]


@pytest.mark.parametrize(
    ("key", "options", "told"),
    [("", [], "SANDBOX_API_KEY is not set"), (KEY, ["--missing-meter", "500"], "invalid choice")],
)
def test_a_start_that_cannot_be_is_refused(key: str, options: list[str], told: str) -> None:
    ended = subprocess.run(
        [*COMMAND, "--port", "1", *options],
        env={**os.environ, "SANDBOX_API_KEY": key},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (ended.returncode, told in ended.stderr) == (2, True)


def test_all_that_a_file_holds_outlives_sigterm(started: Callable[..., Amberflo], tmp_path: Path) -> None:
    window = {"startTimeInSeconds": 1, "endTimeInSeconds": 2}
    rule = {"id": "r", "meterApiName": "api-calls", "ingestionTimeRange": window, "type": "by_property_filter_out"}
    customer = {"customerId": "acme", "customerName": "Acme"}
    with _served("--data", str(tmp_path / "data")) as first:
        for path, body in (("/meters", METER), (RULES, rule), ("/customers", customer)):
            first.json("POST", path, body)
        kept = {path: first.json("GET", path) for path in ("/meters", RULES, "/customers")}
        first.ingest(record())
    again = started(tmp_path / "data")
    assert {path: again.json("GET", path) for path in kept} == kept
    assert _total(again) == 1
