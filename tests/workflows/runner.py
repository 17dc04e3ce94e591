"""Run workflows: by default those deployed on the emulator, otherwise copies at ``STEP_FUNCTIONS_ENDPOINT``.

The endpoint is an address, or ``moto`` for the interpreter of moto in this process.
"""

import json
import os
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

import boto3

from amberflo_workflows.local.system import System
from tests.workflows.asl import with_fractions
from tests.workflows.payloads import check_history, fetch_history, list_payload_bytes

MOTO = "moto"
STANDARD = {
    *("create_customer", "delete_customer"),
    *("backfill_usage", "reconcile_usage", "replay_usage", "close_period"),
}
ROLE = "arn:aws:iam::000000000000:role/tests"


@dataclass(frozen=True)
class Execution:
    arn: str
    status: str
    output: Any
    error: str
    cause: str
    states: list[str]


@dataclass
class Runner:
    """Runs the deployed state machines. With another endpoint, runs copies of them there, as standard workflows."""

    system: System
    endpoint: str | None = field(default_factory=lambda: os.environ.get("STEP_FUNCTIONS_ENDPOINT"))
    # By workflow, the ARN of its copy.
    _copies: dict[str, str] = field(default_factory=dict)

    def run(self, workflow: str, request: Any) -> Execution:
        client = self._client()
        if self.endpoint is None and workflow not in STANDARD:
            arn = self.system.state_machine_arns[workflow]
            execution = client.start_sync_execution(stateMachineArn=arn, input=json.dumps(request))
        else:
            machine = self._copy(workflow) if self.endpoint else self.system.state_machine_arns[workflow]
            # moto requires a name; AWS makes one.
            start = client.start_execution(stateMachineArn=machine, name=str(uuid.uuid4()), input=json.dumps(request))
            arn = start["executionArn"]
            while (execution := client.describe_execution(executionArn=arn))["status"] == "RUNNING":
                time.sleep(0.05)
        history = fetch_history(client, execution["executionArn"])
        check_history(history)
        return Execution(
            arn=execution["executionArn"],
            status=execution["status"],
            output=json.loads(execution["output"]) if execution["status"] == "SUCCEEDED" else None,
            error=execution.get("error", ""),
            cause=execution.get("cause", ""),
            states=[
                event["stateEnteredEventDetails"]["name"] for event in history if "stateEnteredEventDetails" in event
            ],
        )

    def payloads(self, arn: str, *, escaped: bool = False) -> list[int]:
        """Bytes of each input and output: in UTF-8, or with all characters that are not ASCII ``escaped``."""
        return list_payload_bytes(fetch_history(self._client(), arn), escaped=escaped)

    def _client(self) -> Any:
        if self.endpoint is None:
            return self.system.client("stepfunctions")
        url = None if self.endpoint == MOTO else self.endpoint
        return boto3.client("stepfunctions", endpoint_url=url, region_name="us-east-1")  # type: ignore[call-overload,unused-ignore]

    def _copy(self, workflow: str) -> str:
        if workflow not in self._copies:
            deployed = self.system.client("stepfunctions").describe_state_machine(
                stateMachineArn=self.system.state_machine_arns[workflow]
            )
            definition = with_fractions(json.loads(deployed["definition"]))
            copy = self._client().create_state_machine(
                name=f"{workflow}-{uuid.uuid4()}", definition=json.dumps(definition), roleArn=ROLE
            )
            self._copies[workflow] = copy["stateMachineArn"]
        return self._copies[workflow]
