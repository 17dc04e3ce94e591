"""The deployed stack: queues, tables, secret and state machines in MiniStack's modules, and the sandbox as Amberflo."""

import contextlib
import copy
import json
import logging
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Final

import boto3
import msgspec
import pytest
from aws_lambda_powertools import Metrics
from botocore.httpsession import URLLib3Session
from botocore.signers import RequestSigner
from ministack.services import dynamodb, secretsmanager, sqs, stepfunctions

from amberflo_workflows.core import aws, aws_call
from amberflo_workflows.entrypoints import call_identity
from amberflo_workflows.local.emulator_server import deepcopy_by_pickle
from amberflo_workflows.sandbox import meters
from amberflo_workflows.sandbox.app import Sandbox
from amberflo_workflows.sandbox.faults import Fault as SandboxFault
from amberflo_workflows.sandbox.settings import SandboxSettings
from amberflo_workflows.sandbox.store import Store
from amberflo_workflows.tasks.amberflo import client
from tests.histories.faults import Fault, Strikes, WorkerKilled
from tests.histories.lambdas import Clock, build_invoke, forget_everything, replace_clock_and_threads
from tests.histories.network import AMBERFLO_URL, Network, build_network
from tests.workflows.asl import WORKFLOWS

METERS: Final = ["api-calls", "storage"]
SECRET: Final = "AmberfloApiKey"
REJECTED_TABLE: Final = "rejected"
KEY_TABLE: Final = "call-identities"
# As in infra/ingest.py; tests/histories/test_stack.py compares them with the template.
MAX_RECEIVE_COUNT: Final = 5
VISIBILITY_SECONDS: Final = 1640
_RETENTION_SECONDS: Final = 14 * 86_400
# The events of a history are in the past, so that a history of some days never reaches the time of the computer.
_DAYS_AGO: Final = 10
_ARN: Final = "arn:aws:{service}:us-east-1:000000000000:{name}"
_WORKFLOWS: Final = ("ingest_usage", "cancel_usage")


@dataclass
class Stack:
    """The stack; also what ``operate`` needs of a deployment."""

    sandbox: Sandbox
    network: Network
    clock: Clock
    stack: str = "histories"
    outputs: Mapping[str, str] = field(default_factory=dict)
    api_endpoint: str = ""
    access_token: str = ""
    _clients: dict[str, Any] = field(default_factory=dict)

    @property
    def state_machine_arns(self) -> dict[str, str]:
        return {name: _ARN.format(service="states", name=f"stateMachine:{name}") for name in _WORKFLOWS}

    def client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = boto3.client(service)  # type: ignore[call-overload] # the service is a variable
        return self._clients[service]

    def reset(self) -> None:
        """Empty everything, with new processes of the Lambdas."""
        self.clock.now = time.time() // 1 - _DAYS_AGO * 86_400
        for queue in sqs._queues.values():
            queue["messages"].clear()
        for table in dynamodb._tables.values():
            table["items"].clear()
        stepfunctions._executions.clear()
        self.network.receipts.clear()
        self.network.receipted.clear()
        self.sandbox.store.query("DELETE FROM records")
        self.rotate_key(0)
        forget_everything()

    def deploy(self) -> None:
        """Create the resources, and the meters at Amberflo."""
        for module in (sqs, dynamodb, secretsmanager, stepfunctions):
            module.reset()
        self._create_resources()
        meters.add_missing_meters(self.sandbox.store, METERS)
        # Its queries are so small that a second thread only costs time.
        self.sandbox.store.query("SET threads TO 1")

    def rotate_key(self, number: int) -> None:
        """Put a new key into the secret. Amberflo no longer accepts the old one."""
        self.sandbox.keys = {f"key-{number}"}
        self.client("secretsmanager").put_secret_value(SecretId=SECRET, SecretString=_build_secret(number))

    @contextlib.contextmanager
    def fault(self, fault: Fault | None) -> Iterator[None]:
        """Let a fault strike while the ``with`` block runs. If it kills the caller's process, the block ends."""
        of_sandbox = fault.of_sandbox if fault else []
        self.sandbox.faults.replace(msgspec.convert(of_sandbox, list[SandboxFault]))
        self.network.strikes = Strikes(fault)
        try:
            with contextlib.suppress(WorkerKilled):
                yield
        finally:
            self.sandbox.faults.replace([])
            self.network.strikes = Strikes()

    def _create_resources(self) -> None:
        client = self.client("sqs")
        dead = client.create_queue(QueueName="dead", Attributes={"MessageRetentionPeriod": str(_RETENTION_SECONDS)})
        tenants = client.create_queue(QueueName="tenants")
        redrive = {"deadLetterTargetArn": _ARN.format(service="sqs", name="dead"), "maxReceiveCount": MAX_RECEIVE_COUNT}
        queue = client.create_queue(
            QueueName="usage",
            Attributes={
                "VisibilityTimeout": str(VISIBILITY_SECONDS),
                "MessageRetentionPeriod": str(_RETENTION_SECONDS),
                "RedrivePolicy": json.dumps(redrive),
            },
        )
        self.outputs = {
            "UsageQueueUrl": queue["QueueUrl"],
            "UsageDeadLetterQueueUrl": dead["QueueUrl"],
            "TenantDeadLetterQueueUrl": tenants["QueueUrl"],
            "RejectedTableName": REJECTED_TABLE,
        }
        for table in (REJECTED_TABLE, KEY_TABLE):
            self.client("dynamodb").create_table(
                TableName=table,
                KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                BillingMode="PAY_PER_REQUEST",
            )
        self.client("secretsmanager").create_secret(Name=SECRET, SecretString=_build_secret(0))
        for name in _WORKFLOWS:
            self.client("stepfunctions").create_state_machine(
                name=name, definition=_DEFINITIONS[name], roleArn="arn:aws:iam::000000000000:role/tests"
            )


def _build_secret(number: int) -> str:
    return json.dumps({"apiKey": f"key-{number}"})


def _load_definition(name: str) -> str:
    """Return a definition with the names of this stack in place of CDK's."""

    def replace(match: re.Match[str]) -> str:
        snake_case = re.sub(r"(?<!^)(?=[A-Z])", "_", match[1]).lower()
        return _ARN.format(service="lambda", name=f"function:{snake_case}")

    text = (WORKFLOWS / f"{name}.asl.json").read_text()
    text = text.replace("${Partition}", "aws").replace("${RejectedTableName}", REJECTED_TABLE)
    definition = re.sub(r"\$\{(\w+)FunctionArn\}", replace, text)
    assert "${" not in definition, "a name of this definition is missing here"
    return definition


_DEFINITIONS: Final = {name: _load_definition(name) for name in _WORKFLOWS}


@contextlib.contextmanager
def running_stack() -> Iterator[Stack]:
    """Replace sockets, processes, clock and threads by those of a stack until the end of the ``with`` block."""
    sandbox = Sandbox(Store(None), set(), SandboxSettings(strict=True))
    stack = Stack(sandbox, build_network(sandbox), Clock())
    with pytest.MonkeyPatch.context() as patch, _quiet():
        for name, value in _build_environment(stack).items():
            patch.setenv(name, value)
        replace_clock_and_threads(patch, stack.clock)
        # Metrics are written to the standard output, and there are more than a test can show.
        patch.setattr(Metrics, "add_metric", lambda *_args, **_options: None)
        patch.setattr(URLLib3Session, "send", lambda _session, request: stack.network.send_from_boto3(request))
        patch.setattr(
            aws_call._DirectClient,
            "_post",
            lambda _self, headers, body, _idle: stack.network.send_to_aws(headers, body),
        )
        patch.setattr(client, "send_request", stack.network.send_to_sandbox)
        # Nobody checks the signatures, and to compute them takes a tenth of the time.
        patch.setattr(RequestSigner, "sign", lambda *_args, **_options: None)
        patch.setattr(aws_call, "sign", lambda headers, *_: headers)
        # Nothing connects, and the certificates take a third of the time of each new process of a Lambda.
        patch.setattr(aws_call, "tls_context", lambda: None)
        patch.setattr(stepfunctions, "_SFN_WAIT_SCALE", 0)
        # As in the local system.
        patch.setattr(stepfunctions, "copy", SimpleNamespace(**{**vars(copy), "deepcopy": deepcopy_by_pickle}))
        patch.setattr(stepfunctions, "_invoke_resource_with_timeout", build_invoke(stack.network))
        _forget_clients()
        stack.deploy()
        try:
            yield stack
        finally:
            forget_everything()
            _forget_clients()
            sandbox.store.close()
            stack.network.loop.close()


def _forget_clients() -> None:
    """Forget what is expensive to create, and has no state but its configuration."""
    for cached in (aws.client, aws_call.client, call_identity._identity_store):
        cached.cache_clear()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Log nothing: a thousand histories have a million lines."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def _build_environment(stack: Stack) -> dict[str, str]:
    return {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AMBERFLO_API_KEY_SECRET_ID": SECRET,
        "AMBERFLO_API_KEY_FIELD": "apiKey",
        "AMBERFLO_BASE_URL": AMBERFLO_URL,
        "AMBERFLO_INGEST_URL": AMBERFLO_URL,
        "REJECTED_TABLE_NAME": REJECTED_TABLE,
        "IDEMPOTENCY_TABLE_NAME": KEY_TABLE,
        "LEDGER_STREAM_NAME": "ledger",
        "INGEST_USAGE_STATE_MACHINE_ARN": stack.state_machine_arns["ingest_usage"],
        "STATE_MACHINE_ARNS": json.dumps(stack.state_machine_arns),
        "POWERTOOLS_TRACE_DISABLED": "true",
    }
