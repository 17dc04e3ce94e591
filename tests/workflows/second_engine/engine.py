"""Run the definitions on moto's interpreter, in this process.

Its calls to AWS go to a stand-in, and its waits are left out. Everything else is the interpreter's own.
"""

import json
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, Protocol
from unittest import mock

from jsonpath_ng.ext.parser import parse
from moto.stepfunctions.parser.api import ExecutionStatus
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_dynamodb,
    state_task_service_events,
    state_task_service_sqs,
)
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.asl.utils import json_path
from moto.stepfunctions.parser.backend import execution_worker
from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication
from moto.stepfunctions.parser.models import StepFunctionsParserBackend

from tests.workflows.asl import workflow_name
from tests.workflows.payloads import check_history
from tests.workflows.second_engine.definitions import ACCOUNT, REGION, build_definition

ROLE = f"arn:aws:iam::{ACCOUNT}:role/tests"
# An execution takes some hundredths of a second.
MAX_SECONDS = 60
# It reports each path of an IsPresent that matches nothing as an error.
logging.getLogger("moto").setLevel(logging.CRITICAL)


class AwsCalls(Protocol):
    """What takes the calls that states make to AWS: the clients of Lambda, DynamoDB, SQS and EventBridge alike."""

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]: ...  # noqa: N803 - AWS's names
    def put_item(self, **request: Any) -> dict[str, Any]: ...
    def delete_item(self, **request: Any) -> dict[str, Any]: ...
    def send_message(self, **request: Any) -> dict[str, Any]: ...
    def put_events(self, **request: Any) -> dict[str, Any]: ...


class MotoExecution(NamedTuple):
    """``error`` is empty if the execution succeeded; ``states`` are those that it entered, in this order.

    ``max_bytes`` is the size of its largest input or output.
    """

    error: str
    cause: str
    output: Any
    states: list[str]
    max_bytes: int


class MotoEngine:
    """The workflows, as state machines of moto."""

    def __init__(self) -> None:
        self._backend = StepFunctionsParserBackend(REGION, ACCOUNT)
        # A program and a path hold nothing of an execution. To parse them takes longer than to run them.
        self._parse_path = cache(parse)
        self._parser = ("AmazonStateLanguageParser", SimpleNamespace(parse=cache(AmazonStateLanguageParser.parse)))
        self._arns: dict[Path, str] = {}
        self._executions = 0

    def run(self, workflow: Path, request: Any, aws: AwsCalls) -> MotoExecution:
        arn = self._arns.get(workflow) or self._create(workflow)
        self._executions += 1
        ended = threading.Event()
        with ExitStack() as patches:
            patches.enter_context(replaced_calls(lambda **_service: aws))
            patches.enter_context(mock.patch.object(execution_worker, *self._parser))
            patches.enter_context(mock.patch.object(json_path, "parse", self._parse_path))
            patches.enter_context(_announced_end(ended))
            execution = self._backend.start_execution(arn, f"execution-{self._executions}", json.dumps(request))
            assert ended.wait(MAX_SECONDS), f"{workflow_name(workflow)} does not end"
        events = execution.to_history_output()["events"]
        details = [event.get("stateEnteredEventDetails") for event in events]
        return MotoExecution(
            error="" if execution.exec_status == ExecutionStatus.SUCCEEDED else execution.error or "States.Timeout",
            cause=execution.cause or "",
            output=execution.output,
            states=[detail["name"] for detail in details if detail],
            max_bytes=check_history(events),
        )

    def _create(self, workflow: Path) -> str:
        name, definition = workflow_name(workflow), json.dumps(build_definition(workflow))
        self._arns[workflow] = str(self._backend.create_state_machine(name, definition, ROLE).arn)
        return self._arns[workflow]


def _announced_end(ended: threading.Event) -> AbstractContextManager[object]:
    """Set an event after an execution has ended: its thread sets the status first, and then the output or the error."""
    terminated = BaseExecutionWorkerCommunication.terminated

    def announce(communication: BaseExecutionWorkerCommunication) -> None:
        terminated(communication)
        ended.set()

    return mock.patch.object(BaseExecutionWorkerCommunication, "terminated", announce)


@contextmanager
def replaced_calls(client_for: Callable[..., Any]) -> Iterator[None]:
    """Let the interpreter get its clients from ``client_for(service=…, region=…)``, and wait no time before a retry."""
    with ExitStack() as patches:
        patches.enter_context(mock.patch.object(retrier_decl, "time", SimpleNamespace(sleep=lambda _seconds: None)))
        for caller in (
            lambda_eval_utils,
            state_task_service_dynamodb,
            state_task_service_events,
            state_task_service_sqs,
        ):
            patches.enter_context(mock.patch.object(caller, "boto_client_for", client_for))
        yield
