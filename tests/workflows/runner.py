"""Run workflows where ``STEP_FUNCTIONS_ENDPOINT`` says, else on the emulator's deployed machines."""

import json
import os
import time
from dataclasses import dataclass, field
from typing import Any

import boto3

from amberflo_workflows.local.system import System

STANDARD = {"create_customer", "delete_customer", "backfill_usage"}
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
    """The deployed machines; with another endpoint, copies of them as standard workflows there."""

    system: System
    endpoint: str | None = field(default_factory=lambda: os.environ.get("STEP_FUNCTIONS_ENDPOINT"))
    _copies: dict[str, str] = field(default_factory=dict)

    def run(self, workflow: str, request: Any) -> Execution:
        client = self._client()
        if self.endpoint is None and workflow not in STANDARD:
            arn = self.system.state_machine_arns[workflow]
            ended = client.start_sync_execution(stateMachineArn=arn, input=json.dumps(request))
        else:
            machine = self._copy(workflow) if self.endpoint else self.system.state_machine_arns[workflow]
            started = client.start_execution(stateMachineArn=machine, input=json.dumps(request))
            while (ended := client.describe_execution(executionArn=started["executionArn"]))["status"] == "RUNNING":
                time.sleep(0.2)
        history = client.get_execution_history(executionArn=ended["executionArn"], maxResults=1000)["events"]
        entered = [
            event["stateEnteredEventDetails"]["name"] for event in history if "stateEnteredEventDetails" in event
        ]
        output = json.loads(ended["output"]) if ended["status"] == "SUCCEEDED" else None
        return Execution(
            ended["executionArn"], ended["status"], output, ended.get("error", ""), ended.get("cause", ""), entered
        )

    def payloads(self, arn: str, *, escaped: bool = False) -> list[int]:
        """Bytes of what each state was given and gave on: in UTF-8, or with all but ASCII ``escaped``."""
        pages = self._client().get_paginator("get_execution_history").paginate(executionArn=arn)
        events = list(pages.search("events[]"))
        details = [event.get(f"state{what}EventDetails", {}) for event in events for what in ("Entered", "Exited")]
        data = [json.loads(detail[side]) for detail in details for side in ("input", "output") if side in detail]
        return [len(json.dumps(one, ensure_ascii=escaped).encode()) for one in data]

    def _client(self) -> Any:
        if self.endpoint is None:
            return self.system.client("stepfunctions")
        return boto3.client("stepfunctions", endpoint_url=self.endpoint, region_name="us-east-1")  # type: ignore[call-overload,unused-ignore]

    def _copy(self, workflow: str) -> str:
        if workflow not in self._copies:
            deployed = self.system.client("stepfunctions").describe_state_machine(
                stateMachineArn=self.system.state_machine_arns[workflow]
            )
            made = self._client().create_state_machine(
                name=f"{workflow}-{int(time.time())}", definition=deployed["definition"], roleArn=ROLE
            )
            self._copies[workflow] = made["stateMachineArn"]
        return self._copies[workflow]
