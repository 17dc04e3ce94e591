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
# Once: two records that are meant to be the same must not fall on both sides of a second.
_AN_HOUR_AGO = int(time.time() - 3_600) * 1000
METER = {"label": "API calls", "meterApiName": "api-calls", "meterType": "sum_of_all_usage", "dimensions": ["region"]}


@dataclass(frozen=True)
class Amberflo:
    """The sandbox, called as Amberflo is."""

    sandbox: SandboxClient

    def call(self, method: str, path: str, body: Any = None, **arguments: Any) -> requests.Response:
        given = {"X-API-KEY": KEY, **arguments.pop("headers", {})}
        return requests.request(
            method, self.sandbox.url + path, json=body, headers=given, timeout=arguments.pop("timeout", 10), **arguments
        )

    def json(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.call(method, path, body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def refusal(self, method: str, path: str, body: Any = None) -> str:
        """Amberflo's word for what is wrong."""
        answer = self.call(method, path, body)
        assert answer.status_code == 400, answer.text
        return str(answer.json()["errorMessage"])

    def create_meter(self, **fields: Any) -> Any:
        return self.json("POST", "/meters", {**METER, **fields})

    def ingest(self, *records: dict[str, Any]) -> None:
        assert self.call("POST", "/ingest", list(records)).text == f"{len(records)} records were ingested"

    def usage(self, **question: Any) -> Any:
        now = int(time.time())
        asked = {"meterApiName": "api-calls", "timeRange": {"startTimeInSeconds": now - 7_200}, **question}
        return self.json("POST", "/usage", asked)


def record(**fields: Any) -> dict[str, Any]:
    """A record that Amberflo takes, an hour old."""
    made = {
        "customerId": "acme",
        "meterApiName": "api-calls",
        "meterValue": 1,
        "meterTimeInMillis": _AN_HOUR_AGO,
        "uniqueId": "u",
        "dimensions": {"region": "eu"},
    }
    return {**made, **fields}


@pytest.fixture(scope="session")
def shared() -> Iterator[SandboxClient]:
    with running_sandbox(api_key=KEY) as running:
        yield running


@pytest.fixture
def amberflo(shared: SandboxClient) -> Iterator[Amberflo]:
    shared.reset()
    yield Amberflo(shared)
    shared.clear_faults()
    shared.set_keys([KEY])


@pytest.fixture
def started() -> Iterator[Callable[..., Amberflo]]:
    """Starts a sandbox with other settings."""
    running = []

    def start(data: Path | None = None, **settings: Any) -> Amberflo:
        running.append(running_sandbox(KEY, data, SandboxSettings(**settings)))
        return Amberflo(running[-1].__enter__())

    yield start
    for one in running:
        one.__exit__(None, None, None)
