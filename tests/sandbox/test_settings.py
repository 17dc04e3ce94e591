"""Every setting of the sandbox: its default, and another value from the command line."""

import contextlib
import dataclasses
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from amberflo_workflows.local.processes import find_free_port
from amberflo_workflows.sandbox import usage
from amberflo_workflows.sandbox.client import SandboxClient
from amberflo_workflows.sandbox.settings import SandboxSettings
from tests.polling import wait_until
from tests.sandbox.conftest import KEY, METER, Amberflo, record

COMMAND = [sys.executable, "-m", "amberflo_workflows.sandbox"]
RULES = "/ingest-snapshot/custom-filtering-rules"


@contextlib.contextmanager
def _served(*options: str) -> Iterator[Amberflo]:
    """Start a sandbox with the command line; ends it with SIGTERM."""
    port = find_free_port()
    client = SandboxClient(f"http://127.0.0.1:{port}")
    environment = {**os.environ, "SANDBOX_API_KEY": KEY}
    with subprocess.Popen([*COMMAND, "--port", str(port), *options], env=environment) as process:
        try:
            assert wait_until(lambda: _responds(client))
            yield Amberflo(client)
        finally:
            process.terminate()
            process.wait(60)


def _responds(client: SandboxClient) -> bool:
    with contextlib.suppress(requests.ConnectionError):
        client.requests()
        return True
    return False


def _rule(start: int, end: int) -> dict[str, Any]:
    window = {"startTimeInSeconds": start, "endTimeInSeconds": end}
    return {"id": "r", "meterApiName": "api-calls", "ingestionTimeRange": window, "type": "by_property_filter_out"}


def _status(amberflo: Amberflo, method: str, path: str, body: Any = None) -> int:
    return amberflo.call(method, path, body).status_code


def _total_of_different_values(amberflo: Amberflo) -> float:
    amberflo.ingest(record(meterValue=1), record(meterValue=5), record(meterValue=5))
    return amberflo.total()


def _total_after_ingest(amberflo: Amberflo) -> float:
    amberflo.ingest(record())
    return amberflo.total()


def _total_after_rule(amberflo: Amberflo) -> float:
    amberflo.ingest(record())
    now = int(time.time())
    amberflo.json("POST", RULES, _rule(now - 60, now + 60))
    return amberflo.total()


# Setting, another value, a probe, its result by default and with the other value. Delays are longer than any test.
PROBES: list[tuple[str, tuple[str, ...], Callable[[Amberflo], float], float, float]] = [
    ("strict", (), lambda amberflo: _status(amberflo, "POST", "/ingest", record(dimensions={"a": "b/c"})), 200, 400),
    ("same_key_new_value", ("keep_both",), _total_of_different_values, 5, 6),
    ("missing_meter", ("404",), lambda amberflo: _status(amberflo, "GET", "/meters/unknown"), 200, 404),
    ("max_body_bytes", ("1000",), lambda amberflo: _status(amberflo, "POST", "/ingest", [record()] * 10), 200, 413),
    ("visibility_delay_seconds", ("3600",), _total_after_ingest, 1, 0),
    ("rule_delay_seconds", ("3600",), _total_after_rule, 0, 1),
]


@pytest.mark.parametrize(
    ("setting", "value", "probe", "by_default", "expected"), PROBES, ids=[probe[0] for probe in PROBES]
)
def test_a_setting_changes_the_behaviour(
    amberflo: Amberflo,
    setting: str,
    value: tuple[str, ...],
    probe: Callable[[Amberflo], float],
    *,
    by_default: float,
    expected: float,
) -> None:
    with _served(f"--{setting.replace('_', '-')}", *value) as changed:
        assert (probe(amberflo), probe(changed)) == (by_default, expected)


def test_every_setting_has_a_probe() -> None:
    assert [probe[0] for probe in PROBES] == [field.name for field in dataclasses.fields(SandboxSettings)]


def test_usage_and_rules_take_effect_after_their_delays(
    start_sandbox: Callable[..., Amberflo], monkeypatch: pytest.MonkeyPatch
) -> None:
    amberflo = start_sandbox(visibility_delay_seconds=3_600, rule_delay_seconds=7_200)
    now = int(time.time())
    amberflo.ingest(record())
    amberflo.json("POST", RULES, _rule(now - 60, now + 600))
    totals = []
    for hours in (0, 1.5, 3):
        clock = SimpleNamespace(time=lambda seconds=hours * 3_600: now + seconds)
        monkeypatch.setattr(usage, "time", clock)
        totals.append(amberflo.total())
    assert totals == [0, 1, 0]


@pytest.mark.parametrize(
    ("key", "options", "message"),
    [("", [], "SANDBOX_API_KEY is not set"), (KEY, ["--missing-meter", "500"], "invalid choice")],
    ids=["no key", "invalid option"],
)
def test_an_invalid_start_is_rejected(key: str, options: list[str], message: str) -> None:
    process = subprocess.run(
        [*COMMAND, "--port", "1", *options],
        env={**os.environ, "SANDBOX_API_KEY": key},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert process.returncode == 2
    assert message in process.stderr


def test_all_data_in_a_file_is_kept_after_sigterm(start_sandbox: Callable[..., Amberflo], tmp_path: Path) -> None:
    customer = {"customerId": "acme", "customerName": "Acme"}
    with _served("--data", str(tmp_path / "data")) as first:
        for path, body in (("/meters", METER), (RULES, _rule(1, 2)), ("/customers", customer)):
            first.json("POST", path, body)
        before = {path: first.json("GET", path) for path in ("/meters", RULES, "/customers")}
        first.ingest(record())
    restarted = start_sandbox(tmp_path / "data")
    assert {path: restarted.json("GET", path) for path in before} == before
    assert restarted.total() == 1
