"""The state machines of a deployment: one per workflow."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from amberflo_workflows.operate.deployment import Deployment
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.executions.graph import Graph, build_graph

# The emulator's: AWS gives nobody this account.
_EMULATOR_ACCOUNT: Final = "000000000000"


@dataclass(frozen=True)
class Machine:
    """The state machine of a workflow, described when it is first asked about."""

    workflow: str
    arn: str
    client: Any

    @property
    def name(self) -> str:
        """Its own name, which is part of the ARNs of its executions."""
        return self.arn.split(":")[6]

    @property
    def is_express(self) -> bool:
        """Whether a caller may wait for its output."""
        return bool(self._described["type"] == "EXPRESS")

    @property
    def keeps_history(self) -> bool:
        """Whether Step Functions tells of its executions; of express ones it does on the emulator only."""
        return not self.is_express or self.arn.split(":")[4] == _EMULATOR_ACCOUNT

    @property
    def log_group(self) -> str | None:
        """Where its executions are logged."""
        for destination in self._described.get("loggingConfiguration", {}).get("destinations", []):
            arn: str = destination.get("cloudWatchLogsLogGroup", {}).get("logGroupArn", "")
            if arn:
                return arn.removesuffix(":*").split(":", 6)[6]
        return None

    @cached_property
    def graph(self) -> Graph:
        """As it is defined now; an execution may have begun under an earlier definition."""
        return build_graph(json.loads(self._described["definition"]))

    @cached_property
    def _described(self) -> Mapping[str, Any]:
        described: Mapping[str, Any] = self.client.describe_state_machine(stateMachineArn=self.arn)
        return described


class Machines:
    """All of a deployment's machines, in the order of their workflows' names."""

    def __init__(self, deployment: Deployment) -> None:
        client = deployment.client("stepfunctions")
        self.all = [Machine(workflow, arn, client) for workflow, arn in sorted(deployment.state_machine_arns.items())]

    def of(self, workflow: str) -> Machine:
        """The machine of a workflow. Raises :class:`OperatorError` if there is none."""
        found = next((machine for machine in self.all if machine.workflow == workflow), None)
        if found is None:
            names = ", ".join(machine.workflow for machine in self.all)
            raise OperatorError(f"There is no workflow '{workflow}'; there are {names}.")
        return found

    def of_execution(self, arn: str) -> Machine:
        """The machine whose execution this is, or a child of it. Raises :class:`OperatorError` if there is none."""
        parts = arn.split(":")
        if len(parts) < 8 or parts[5] not in {"execution", "express"}:
            raise OperatorError(f"'{arn}' is no ARN of an execution; see: metering executions list")
        name = parts[6].split("/")[0]
        found = next((machine for machine in self.all if machine.name == name), None)
        if found is None:
            raise OperatorError(f"The execution is none of this stack's: {arn}; name its stack with --stack.")
        return found
