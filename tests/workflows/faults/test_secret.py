"""The cells whose fault is in the secret, and keys that are rotated while an execution runs.

The functions read the secret from the emulator's Secrets Manager, through a proxy that can fail.
"""

import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from amberflo_workflows.local.deploy import put_secret
from amberflo_workflows.local.system import SECRET, System
from tests.conftest import sandbox_of
from tests.entrypoints.calls import METER, Api
from tests.secrets_manager import SecretFault, SecretsManager, run_faulty_secrets_manager
from tests.workflows.faults.cells import CALLS, Cell, check, create_meter, parametrize_cells, start

pytestmark = [pytest.mark.emulator, pytest.mark.meters("x")]

REJECTED_ONCE = {"kind": "status", "status": 401, "times": 1}


@dataclass
class Secret:
    """The secret as the functions read it: through a Secrets Manager that can fail."""

    system: System
    manager: SecretsManager
    _deployed: dict[str, dict[str, str]] = field(default_factory=dict)

    def use_proxy(self, *tasks: str) -> None:
        """Point the functions of these tasks to the proxy."""
        functions = self.system.client("lambda").list_functions()["Functions"]
        for function in functions:
            if function["Handler"].removeprefix("amberflo_workflows.tasks.").removesuffix(".handler") in tasks:
                self._deployed[function["FunctionName"]] = function["Environment"]["Variables"]
        self._configure(AWS_ENDPOINT_URL_SECRETS_MANAGER=self.manager.url)

    def restore(self) -> None:
        """Point the functions to the emulator again."""
        self._configure()

    def clear_cache(self) -> None:
        """Restart the functions' processes, so that their caches have no key."""
        self._configure(AWS_ENDPOINT_URL_SECRETS_MANAGER=self.manager.url, STARTED=str(time.time()))

    def fill_cache(self) -> None:
        """Have ``ResolveApiKey`` cache the current version, so that the next execution starts without a read."""
        (name,) = [name for name in self._deployed if "ResolveApiKey" in name]
        event = json.dumps({"refresh": False, "execution": {"name": "before"}})
        assert "FunctionError" not in self.system.client("lambda").invoke(FunctionName=name, Payload=event)

    def rotate(self, key: str) -> None:
        sandbox_of(self.system).set_keys([key])
        put_secret(self.system.emulator, SECRET, {"apiKey": key})

    def _configure(self, **variables: str) -> None:
        for name, deployed in self._deployed.items():
            self.system.client("lambda").update_function_configuration(
                FunctionName=name, Environment={"Variables": {**deployed, **variables}}
            )


@pytest.fixture(scope="module")
def shared_secret(shared_system: System) -> Iterator[Secret]:
    with run_faulty_secrets_manager(shared_system.emulator.url) as manager:
        secret = Secret(shared_system, manager)
        secret.use_proxy("resolve_api_key", "send_usages", "create_customer", "delete_customer")
        yield secret
        secret.restore()


@pytest.fixture
def secret(system: System, shared_secret: Secret) -> Iterator[Secret]:
    assert system is shared_secret.system
    yield shared_secret
    shared_secret.manager.fault = None


def _reject_once(cell: Cell) -> dict[str, Any]:
    """The fault that makes the workflow read the secret again."""
    # A rejected read of the list of meters is no error if the process has an older list.
    return {**REJECTED_ONCE, "path": "/ingest"} if cell.row.workflow == "ingest_usage" else REJECTED_ONCE


@parametrize_cells("secret")
def test_a_secret_that_cannot_be_read(secret: Secret, cell: Cell) -> None:
    is_first, is_step = cell.row.state == "ResolveApiKey", cell.row.state in CALLS
    if is_first:
        secret.clear_cache()
    elif is_step:
        # A step reads the secret if its cache lacks the version in its input: the cache has this one, but not the next.
        start(secret.system, cell, [])
        secret.rotate(f"key-{uuid.uuid4()}")
    else:
        secret.fill_cache()
    secret.manager.fault = SecretFault(times=None if cell.is_exhausted else cell.failures, versioned=is_step)
    outcome = start(secret.system, cell, [] if is_first else [_reject_once(cell)])
    check(secret.system, cell, outcome)
    if outcome.http == 502:
        assert f"Secrets Manager did not return the secret '{SECRET}'" in outcome.body["message"]


def test_a_read_of_the_secret_times_out_before_its_state_does(secret: Secret) -> None:
    secret.fill_cache()
    secret.manager.fault = SecretFault(seconds=30)
    sandbox_of(secret.system).set_faults([REJECTED_ONCE])
    response = Api(secret.system).call("GET", "meters")
    assert (response.status, response.body["message"]) == (
        502,
        f"Secrets Manager could not be reached for the secret '{SECRET}' (TimeoutError).",
    )


@dataclass
class Rotations:
    """A key that is rotated before the execution starts, and again after the execution has read it."""

    secret: Secret

    def start(self) -> None:
        self.secret.fill_cache()
        self.secret.rotate(f"second-{uuid.uuid4()}")
        self.secret.manager.after_next_read = lambda: self.secret.rotate(f"third-{uuid.uuid4()}")


@pytest.fixture
def rotations(secret: Secret) -> Rotations:
    return Rotations(secret)


def test_a_key_that_is_rotated_twice_in_one_execution_is_a_502_and_the_next_call_succeeds(rotations: Rotations) -> None:
    api = Api(rotations.secret.system)
    rotations.start()
    response = api.call("GET", "meters")
    assert response.status == 502
    assert "rejected the API key, also after it was read again" in response.body["message"]
    assert api.call("GET", "meters").status == 200


def test_usage_that_meets_two_rotations_is_redelivered_and_counted_once(rotations: Rotations) -> None:
    system = rotations.secret.system
    create_meter(system)
    message = _build_message({"tenantId": "t", "meterApiName": METER["meterApiName"], "meterValue": 3})
    # A new process of the step reads the secret when it starts, which would be the next read.
    assert _deliver(system, _build_message({"tenantId": "t", "meterApiName": "other", "meterValue": 1})) == []
    rotations.start()
    assert _deliver(system, message) == ["message-1"]
    assert sandbox_of(system).totals(METER["meterApiName"]) == {}
    for _ in range(2):
        assert _deliver(system, message) == []
    assert sandbox_of(system).totals(METER["meterApiName"]) == {"t": 3}


def _build_message(usage: dict[str, Any]) -> dict[str, Any]:
    """A message of the queue with a usage event."""
    event = {
        "id": str(uuid.uuid4()),
        "detail-type": "ingestUsage",
        "source": "my.app",
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "detail": usage,
    }
    attributes = {"ApproximateReceiveCount": "1", "SentTimestamp": str(int(time.time() * 1000))}
    return {
        "messageId": "message-1",
        "receiptHandle": "handle",
        "body": json.dumps(event),
        "attributes": attributes,
        "eventSource": "aws:sqs",
    }


def _deliver(system: System, message: dict[str, Any]) -> list[str]:
    """Invoke the queue's function as SQS does; returns the IDs of the messages that failed."""
    name, event = system.outputs["IngestQueueFunctionName"], {"Records": [message]}
    invocation = system.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))
    return [failure["itemIdentifier"] for failure in json.loads(invocation["Payload"].read())["batchItemFailures"]]
