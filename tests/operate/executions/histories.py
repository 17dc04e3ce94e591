"""Recorded histories, and histories built by hand as AWS records them.

``recorded/`` has histories of real executions from the emulator. The format of AWS, and which event names which as its
previous one, is that of LocalStack's snapshots, which were recorded on AWS (localstack/localstack,
tests/aws/services/stepfunctions/v2/scenarios/test_base_scenarios.snapshot.json and error_handling/).
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from amberflo_workflows.operate.executions.events import add_missing_ends, parse_history_event
from amberflo_workflows.operate.executions.graph import Graph, build_graph
from amberflo_workflows.operate.executions.history import build_execution
from amberflo_workflows.operate.executions.model import Execution, HistoryEvent, StateRun

# Not the emulator's own account.
ACCOUNT = "111122223333"
LOG_GROUP, LOG_STREAM = "/express/CreateMeter", "states/some"
ARN = f"arn:aws:states:us-east-1:{ACCOUNT}:execution:Machine:some-name"
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
WORKFLOWS = Path(__file__).parents[3] / "workflows"

FAILED: dict[str, Any] = {"error": "Refused", "cause": '{"errorMessage": "no"}'}


@dataclass
class History:
    """Events at intervals of a second; ``add`` returns the event's id, which is the next one's previous by default."""

    events: list[HistoryEvent] = field(default_factory=list)

    def add(self, type: str, previous: int | None = None, **details: Any) -> int:
        event_id = len(self.events) + 1
        at = BEGIN + timedelta(seconds=event_id - 1)
        # On AWS neither the start nor the first state names a previous event.
        before = max(event_id - 1, 0) if event_id != 2 else 0
        self.events.append(HistoryEvent(event_id, type, at, before if previous is None else previous, details))
        return event_id

    def started(self) -> "History":
        self.add("ExecutionStarted", input="{}")
        return self

    def build_execution(self, load_graph: Graph | None = None) -> Execution:
        return build_execution(ARN, "workflow", self.events, load_graph)

    def as_emulated(self) -> "History":
        """Return the history without the members that the emulator omits."""
        return History([HistoryEvent(event.id, event.type, event.at, None, event.details) for event in self.events])


def add_task(history: History, name: str, previous: int | None = None, failing: int = 0, caught: bool = False) -> int:
    """Add a task state whose function fails ``failing`` times, and then succeeds or, if ``caught``, is caught."""
    history.add("TaskStateEntered", previous, name=name, input="{}")
    for number in range(failing + 1):
        history.add("LambdaFunctionScheduled", resource="arn:aws:lambda:…:function:f")
        history.add("LambdaFunctionStarted")
        if number < failing:
            last = history.add("LambdaFunctionFailed", **FAILED)
            if caught and number == failing - 1:
                return history.add("TaskStateExited", last, name=name, output='{"caught": true}')
    history.add("LambdaFunctionSucceeded", output="{}")
    return history.add("TaskStateExited", name=name, output='{"done": true}')


def load_execution(name: str, workflow: str) -> Execution:
    """Build an execution from a history recorded on the emulator."""
    record = json.loads((Path(__file__).parent / "recorded" / f"{name}.json").read_text())
    events = [parse_history_event(_parse_times(event, "timestamp")) for event in record["events"]]
    described = _parse_times(record["described"], "startDate", "stopDate")
    return build_execution(
        described["executionArn"], workflow, add_missing_ends(events, described), load_graph(workflow)
    )


def load_graph(workflow: str) -> Graph:
    return build_graph(json.loads((WORKFLOWS / f"{workflow}.asl.json").read_text()))


def outline(states: Iterable[StateRun]) -> list[Any]:
    """Return ``Name status error`` and the number of attempts of each state; iterations and branches are lists."""
    lines: list[Any] = []
    for state in states:
        attempts = f" x{len(state.tries)}" if len(state.tries) > 1 else ""
        lines.append(f"{state.name} {state.status} {state.error}".rstrip() + attempts)
        inner = [(f"{item.index} {item.status}", item.states) for item in state.map.iterations] if state.map else []
        lines += [[label, *outline(inner_states)] for label, inner_states in inner]
        lines += [outline(branch) for branch in state.branches]
    return lines


def _parse_times(raw: dict[str, Any], *names: str) -> dict[str, Any]:
    return {key: datetime.fromisoformat(value) if key in names else value for key, value in raw.items()}
