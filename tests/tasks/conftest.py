import importlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from amberflo_workflows.local.emulator import Emulator
from amberflo_workflows.sandbox.client import SandboxClient
from amberflo_workflows.sandbox.testing import running_sandbox
from tests.tasks.caches import clear_caches

SECRET = "AmberfloApiKey"


@dataclass
class Steps:
    """The steps as a workflow calls them: JSON in, JSON out, against the sandbox and Secrets Manager."""

    sandbox: SandboxClient
    emulator: Emulator
    retry_count: int = 0
    key_refreshed: bool = False
    timeout_seconds: float = 6
    start_time: str = ""

    def resolve(self, *, refresh: bool = False) -> Any:
        return self._call("resolve_api_key", {"refresh": refresh, "execution": {"name": "run-1"}})

    def run(self, task: str, request: Any) -> Any:
        start_time = self.start_time or datetime.now(UTC).isoformat()
        event = {
            "request": request,
            "apiKey": self.resolve() | {"refreshed": self.key_refreshed},
            "execution": {"name": "run-1", "startTime": start_time},
            "retryCount": self.retry_count,
            "timeoutSeconds": self.timeout_seconds,
        }
        return self._call(task, event)

    def put_secret(self, **value: Any) -> None:
        self.emulator.client("secretsmanager").put_secret_value(SecretId=SECRET, **value)

    def create_meter(self, name: str = "api-calls", **fields: Any) -> Any:
        meter = {"label": name, "meterApiName": name, "meterType": "sum_of_all_usage", **fields}
        response = self.run("create_meter", meter)
        assert response["statusCode"] == 201, response
        return response["body"]["data"]

    def _call(self, task: str, event: Any) -> Any:
        handler = importlib.import_module(f"amberflo_workflows.tasks.{task}").handler
        return json.loads(json.dumps(handler(json.loads(json.dumps(event)), None)))


@pytest.fixture(scope="session")
def sandbox() -> Iterator[SandboxClient]:
    with running_sandbox(api_key="key-1") as running:
        yield running


@pytest.fixture
def steps(sandbox: SandboxClient, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Steps]:
    secrets = emulator.client("secretsmanager")
    secrets.create_secret(Name=SECRET, SecretString='{"apiKey": "key-1"}')
    sandbox.reset()
    sandbox.set_keys(["key-1"])
    for name, value in {
        "AMBERFLO_API_KEY_SECRET_ID": SECRET,
        "AMBERFLO_API_KEY_FIELD": "apiKey",
        "AMBERFLO_BASE_URL": sandbox.url,
        "AMBERFLO_INGEST_URL": sandbox.url,
        **emulator.environment,
    }.items():
        monkeypatch.setenv(name, value)
    clear_caches()
    yield Steps(sandbox, emulator)
    sandbox.clear_faults()
    secrets.delete_secret(SecretId=SECRET, ForceDeleteWithoutRecovery=True)
