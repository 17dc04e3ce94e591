"""The cells whose error is the secret's, and keys that are rotated faster than an execution runs.

Secrets Manager itself is the emulator's, with its versions; one that fails as told stands before it.
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
from tests.workflows.faults.cells import CALLS, Cell, check, meter, parametrized, start

pytestmark = pytest.mark.emulator

REFUSED_ONCE = {"kind": "status", "status": 401, "times": 1}


@dataclass
class Secret:
    """The functions that read the secret, through a Secrets Manager that fails as told."""

    system: System
    manager: SecretsManager
    _deployed: dict[str, dict[str, str]] = field(default_factory=dict)

    def lead_through(self, *tasks: str) -> None:
        functions = self.system.client("lambda").list_functions()["Functions"]
        for found in functions:
            if found["Handler"].removeprefix("amberflo_workflows.tasks.").removesuffix(".handler") in tasks:
                self._deployed[found["FunctionName"]] = found["Environment"]["Variables"]
        self._configure(AWS_ENDPOINT_URL_SECRETS_MANAGER=self.manager.url)

    def lead_back(self) -> None:
        self._configure()

    def forget(self) -> None:
        """New processes, which know no key."""
        self._configure(AWS_ENDPOINT_URL_SECRETS_MANAGER=self.manager.url, STARTED=str(time.time()))

    def remember(self) -> None:
        """Have ``ResolveApiKey`` know the version in force, so that the next execution begins without a read."""
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
        made = Secret(shared_system, manager)
        made.lead_through("resolve_api_key", "send_usages", "create_customer", "delete_customer")
        yield made
        made.lead_back()


@pytest.fixture
def secret(system: System, shared_secret: Secret) -> Iterator[Secret]:
    assert system is shared_secret.system
    yield shared_secret
    shared_secret.manager.fault = None


@parametrized("secret")
def test_a_secret_that_cannot_be_read(secret: Secret, cell: Cell) -> None:
    is_first, is_step = cell.line.state == "ResolveApiKey", cell.line.state in CALLS
    if is_first:
        secret.forget()
    elif is_step:
        # A step reads the secret when it is told of a version that it does not know: it knows this one, not the next.
        start(secret.system, cell, [])
        secret.rotate(f"key-{uuid.uuid4()}")
    else:
        secret.remember()
    secret.manager.fault = SecretFault(times=None if cell.is_lasting else cell.struck, versioned=is_step)
    outcome = start(secret.system, cell, [] if is_first else [REFUSED_ONCE])
    check(secret.system, cell, outcome)
    if outcome.http == 502:
        assert f"Secrets Manager did not return the secret '{SECRET}'" in outcome.body["message"]


def test_a_secrets_manager_that_hangs_is_given_up_before_the_state_is(secret: Secret) -> None:
    secret.remember()
    secret.manager.fault = SecretFault(seconds=30)
    sandbox_of(secret.system).set_faults([REFUSED_ONCE])
    answer = Api(secret.system).call("GET", "meters")
    assert (answer.status, answer.body["message"]) == (
        502,
        f"Secrets Manager could not be reached for the secret '{SECRET}' (ReadTimeoutError).",
    )


@dataclass
class Rotations:
    """A key that is new at Amberflo and in the secret when the execution begins, and new again once it was read."""

    secret: Secret

    def begin(self) -> None:
        self.secret.remember()
        self.secret.rotate(f"second-{uuid.uuid4()}")
        self.secret.manager.after_next_read = lambda: self.secret.rotate(f"third-{uuid.uuid4()}")


@pytest.fixture
def rotations(secret: Secret) -> Rotations:
    return Rotations(secret)


def test_a_key_that_is_rotated_twice_in_one_execution_is_a_502_and_the_next_call_is_good(rotations: Rotations) -> None:
    api = Api(rotations.secret.system)
    rotations.begin()
    answer = api.call("GET", "meters")
    assert (answer.status, "rejected the API key, also after it was read again" in answer.body["message"]) == (
        502,
        True,
    )
    assert api.call("GET", "meters").status == 200


def test_usage_that_meets_two_rotations_comes_again_and_is_counted_once(rotations: Rotations) -> None:
    system = rotations.secret.system
    meter(system)
    message = _message({"tenantId": "t", "meterApiName": METER["meterApiName"], "meterValue": 3})
    rotations.begin()
    assert _handed(system, message) == ["message-1"], "it is wanted again"
    assert sandbox_of(system).totals(METER["meterApiName"]) == {}
    for _ in range(2):
        assert _handed(system, message) == []
    assert sandbox_of(system).totals(METER["meterApiName"]) == {"t": 3}


def _message(usage: dict[str, Any]) -> dict[str, Any]:
    """A usage event in the queue's message."""
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


def _handed(system: System, message: dict[str, Any]) -> list[str]:
    """Hand a message to the queue's function as SQS would; the ids of those it wants again."""
    name, event = system.outputs["IngestQueueFunctionName"], {"Records": [message]}
    answer = json.loads(system.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))["Payload"].read())
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]
