import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from amberflo_workflows.sandbox.client import SandboxClient
from amberflo_workflows.sandbox.settings import SandboxSettings
from amberflo_workflows.sandbox.testing import running_sandbox

KEY = "key-1"
# Computed once, so that two equal records have the same time.
_AN_HOUR_AGO = int(time.time() - 3_600) * 1000
METER = {"label": "API calls", "meterApiName": "api-calls", "meterType": "sum_of_all_usage", "dimensions": ["region"]}


@dataclass(frozen=True)
class Amberflo:
    """Calls a sandbox as if it were Amberflo."""

    sandbox: SandboxClient

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
        headers = {"X-API-KEY": KEY, **options.pop("headers", {})}
        return requests.request(
            method, self.sandbox.url + path, json=body, headers=headers, timeout=options.pop("timeout", 60), **options
        )

    def json(self, method: str, path: str, body: Any = None) -> Any:
        response = self.call(method, path, body)
        assert response.status_code == 200, response.text
        return response.json()

    def error_message(self, method: str, path: str, body: Any = None) -> str:
        """Return the message of an expected 400."""
        response = self.call(method, path, body)
        assert response.status_code == 400, response.text
        return str(response.json()["errorMessage"])

    def create_meter(self, **fields: Any) -> Any:
        return self.json("POST", "/meters", {**METER, **fields})

    def ingest(self, *records: dict[str, Any]) -> None:
        assert self.call("POST", "/ingest", list(records)).text == f"{len(records)} records were ingested"

    def usage(self, **query: Any) -> Any:
        start = _AN_HOUR_AGO // 1000 - 3_600
        body = {"meterApiName": "api-calls", "timeRange": {"startTimeInSeconds": start}, **query}
        return self.json("POST", "/usage", body)

    def total(self, meter_api_name: str = "api-calls") -> float:
        """Return the sum of a meter's usage over all customers."""
        return sum(self.sandbox.totals(meter_api_name).values())


def record(**fields: Any) -> dict[str, Any]:
    """Build a valid record, an hour old."""
    defaults = {
        "customerId": "acme",
        "meterApiName": "api-calls",
        "meterValue": 1,
        "meterTimeInMillis": _AN_HOUR_AGO,
        "uniqueId": "u",
        "dimensions": {"region": "eu"},
    }
    return {**defaults, **fields}


@pytest.fixture(scope="session")
def shared_sandbox() -> Iterator[SandboxClient]:
    with running_sandbox(api_key=KEY) as running:
        yield running


@pytest.fixture
def amberflo(shared_sandbox: SandboxClient) -> Iterator[Amberflo]:
    shared_sandbox.reset()
    yield Amberflo(shared_sandbox)
    shared_sandbox.clear_faults()
    shared_sandbox.set_keys([KEY])


@pytest.fixture
def start_sandbox() -> Iterator[Callable[..., Amberflo]]:
    """Starts sandboxes with other settings, which end with the test."""
    with contextlib.ExitStack() as stack:

        def start(data: Path | None = None, **settings: Any) -> Amberflo:
            return Amberflo(stack.enter_context(running_sandbox(KEY, data, SandboxSettings(**settings))))

        yield start
