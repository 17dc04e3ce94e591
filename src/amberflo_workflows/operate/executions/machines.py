"""The state machines of a deployment: one per workflow."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from amberflo_workflows.operate.deployment import Deployment
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.executions.graph import Graph, build_graph

# The emulator's account; AWS does not assign this id.
_EMULATOR_ACCOUNT: Final = "000000000000"


@dataclass(frozen=True)
class Machine:
    """The state machine of a workflow; its description is read on first use."""

    workflow: str
    arn: str
    client: Any

    @property
    def name(self) -> str:
        """Its name, which is part of the ARNs of its executions."""
        return self.arn.split(":")[6]

    @property
    def is_express(self) -> bool:
        """Whether it is an express workflow, whose output a caller can wait for."""
        return bool(self._described["type"] == "EXPRESS")

    @property
    def keeps_history(self) -> bool:
        """Whether Step Functions keeps its executions; for express workflows only the emulator does."""
        return not self.is_express or self.arn.split(":")[4] == _EMULATOR_ACCOUNT

    @property
    def log_group(self) -> str | None:
        """The log group of its executions, if it has one."""
        for destination in self._described.get("loggingConfiguration", {}).get("destinations", []):
            arn: str = destination.get("cloudWatchLogsLogGroup", {}).get("logGroupArn", "")
            if arn:
                return arn.removesuffix(":*").split(":", 6)[6]
        return None

    @property
    def definition(self) -> str:
        """Its current definition."""
        return str(self._described["definition"])

    @cached_property
    def graph(self) -> Graph:
        """The graph of its current definition; an execution may have started with an earlier one."""
        return build_graph(json.loads(self.definition))

    @cached_property
    def _described(self) -> Mapping[str, Any]:
        described: Mapping[str, Any] = self.client.describe_state_machine(stateMachineArn=self.arn)
        return described


class Machines:
    """The state machines of a deployment, sorted by workflow."""

    def __init__(self, deployment: Deployment) -> None:
        client = deployment.client("stepfunctions")
        self.all = [Machine(workflow, arn, client) for workflow, arn in sorted(deployment.state_machine_arns.items())]

    def get(self, workflow: str) -> Machine:
        """Return the state machine of a workflow. Raises :class:`OperatorError` if it does not exist."""
        machine = next((machine for machine in self.all if machine.workflow == workflow), None)
        if machine is None:
            names = ", ".join(machine.workflow for machine in self.all)
            raise OperatorError(f"Workflow '{workflow}' was not found. The workflows are {names}.")
        return machine

    def get_by_execution(self, arn: str) -> Machine:
        """Return the state machine of an execution, also of a child. Raises :class:`OperatorError` if there is none."""
        parts = arn.split(":")
        if len(parts) < 8 or parts[5] not in {"execution", "express"}:
            raise OperatorError(f"'{arn}' is not the ARN of an execution.", see="executions list")
        name = parts[6].split("/")[0]
        machine = next((machine for machine in self.all if machine.name == name), None)
        if machine is None:
            raise OperatorError(f"Execution {arn} belongs to another stack.", see="executions list")
        return machine
