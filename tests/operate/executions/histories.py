"""Histories: recorded ones, and some made by hand as AWS records them.

``recorded/`` holds what the emulator told of real runs. The form of what AWS tells, and which event names which as the
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

# Any but the emulator's own.
ACCOUNT = "111122223333"
LOG_GROUP, LOG_STREAM = "/express/CreateMeter", "states/some"
ARN = f"arn:aws:states:us-east-1:{ACCOUNT}:execution:Machine:some-name"
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
WORKFLOWS = Path(__file__).parents[3] / "workflows"

FAILED: dict[str, Any] = {"error": "Refused", "cause": '{"errorMessage": "no"}'}


@dataclass
class History:
    """Events a second apart, each after the one before unless it is said otherwise; ``add`` gives the event's id."""

    events: list[HistoryEvent] = field(default_factory=list)

    def add(self, type: str, previous: int | None = None, **details: Any) -> int:
        number = len(self.events) + 1
        at = BEGIN + timedelta(seconds=number - 1)
        # On AWS the first state names no event as the previous one, as the start itself does not.
        before = max(number - 1, 0) if number != 2 else 0
        self.events.append(HistoryEvent(number, type, at, before if previous is None else previous, details))
        return number

    def started(self) -> "History":
        self.add("ExecutionStarted", input="{}")
        return self

    def build_execution(self, graph: Graph | None = None) -> Execution:
        return build_execution(ARN, "workflow", self.events, graph)

    def as_emulated(self) -> "History":
        """Without what the emulator leaves out."""
        return History([HistoryEvent(event.id, event.type, event.at, None, event.details) for event in self.events])


def task(history: History, name: str, previous: int | None = None, failing: int = 0, caught: bool = False) -> int:
    """A task state whose function fails so many times; the last time for good, unless it succeeds then."""
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


def recorded(name: str, workflow: str) -> Execution:
    """The fold of what the emulator told of a run."""
    given = json.loads((Path(__file__).parent / "recorded" / f"{name}.json").read_text())
    events = [parse_history_event(_with_times(event, "timestamp")) for event in given["events"]]
    described = _with_times(given["described"], "startDate", "stopDate")
    return build_execution(described["executionArn"], workflow, add_missing_ends(events, described), graph(workflow))


def graph(workflow: str) -> Graph:
    return build_graph(json.loads((WORKFLOWS / f"{workflow}.asl.json").read_text()))


def outline(states: Iterable[StateRun]) -> list[Any]:
    """``Name status error`` of each state, with the number of its tries, and its iterations or branches in lists."""
    told: list[Any] = []
    for state in states:
        tries = f" x{len(state.tries)}" if len(state.tries) > 1 else ""
        told.append(f"{state.name} {state.status} {state.error}".rstrip() + tries)
        inner = [(f"{one.index} {one.status}", one.states) for one in state.map.iterations] if state.map else []
        told += [[label, *outline(inside)] for label, inside in inner]
        told += [outline(branch) for branch in state.branches]
    return told


def _with_times(raw: dict[str, Any], *names: str) -> dict[str, Any]:
    return {key: datetime.fromisoformat(value) if key in names else value for key, value in raw.items()}
