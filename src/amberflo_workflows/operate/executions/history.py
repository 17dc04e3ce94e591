"""Build an execution from its events, without AWS, in time linear in the number of events.

Each event has a position: its sequence and its state. On AWS an event names the previous event, so its position
follows from the position of that event. Nothing else distinguishes the iterations of a Map and the branches of a
Parallel, whose events are interleaved. Histories recorded on AWS show two surprises: the first event of an iteration
names the last state of the iteration before it as previous, and the exit of a Parallel names a state in one of its
branches. So the state that an event names is searched for from the position outwards.

The emulator does not name the previous event. There, the event with the id before is the previous one: the emulator
omits all interleaved events except those of tasks, which are counted.
"""

import json
import re
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import cache
from typing import Any, Final, NamedTuple

from amberflo_workflows.operate.executions.builders import AttemptBuilder, SequenceBuilder, StateBuilder
from amberflo_workflows.operate.executions.content import parse_response_status
from amberflo_workflows.operate.executions.graph import Graph, find_catch_only_targets, map_resources_to_states
from amberflo_workflows.operate.executions.model import (
    Execution,
    ExecutionSummary,
    HistoryEvent,
    Status,
    build_preview,
    parse_execution_name,
)

UNKNOWN_STATE: Final = "(state not logged)"
_EVENT_TYPE: Final = re.compile(
    r"(Execution|MapIteration|MapRun|(?:Map|Parallel|Task|Wait|Pass|Choice|Succeed|Fail)State|Task|LambdaFunction"
    r"|Activity|Evaluation)([A-Z]\w+)"
)
_END_STATUSES: Final = {
    "Succeeded": Status.SUCCEEDED,
    "Failed": Status.FAILED,
    "TimedOut": Status.TIMED_OUT,
    "Aborted": Status.ABORTED,
}
_CONTAINER_KINDS: Final = {"Map", "Parallel"}


class _Position(NamedTuple):
    sequence: SequenceBuilder
    state: StateBuilder | None

    def find_outwards(self, matches: Callable[[StateBuilder], bool]) -> StateBuilder | None:
        """Return the nearest state, from here outwards, that matches."""
        sequence, state = self
        while state is None or not matches(state):
            if sequence.owner is None:
                return None
            state = sequence.owner
            sequence = state.sequence
        return state


def build_execution(arn: str, workflow: str, events: Iterable[HistoryEvent], graph: Graph | None = None) -> Execution:
    """Build an execution, which may still be running, from its events.

    ``graph`` adds what the events do not say on the emulator, and where only errors were logged.
    """
    ordered = tuple(sorted(events, key=lambda event: event.id))
    builder = _ExecutionBuilder(graph)
    for event in ordered:
        builder.add(event)
    return builder.build(arn, workflow, ordered)


class _ExecutionBuilder:
    def __init__(self, graph: Graph | None) -> None:
        self.root = SequenceBuilder()
        self.position = _Position(self.root, None)
        self.positions: dict[int, _Position] = {0: self.position}
        self.input: str | None = None
        self.output: str | None = None
        self.error = self.cause = ""
        self.stopped: datetime | None = None
        self._states_by_resource = map_resources_to_states(graph) if graph else {}
        self._catch_only_targets = find_catch_only_targets(graph) if graph else {}
        self._handlers: dict[str, Callable[[HistoryEvent, _Position, str], _Position]] = {
            "Execution": self._add_execution_event,
            "MapIteration": self._add_iteration_event,
            "MapRun": self._add_map_run_event,
        }

    def add(self, event: HistoryEvent) -> None:
        """Add the next event."""
        # Lines of a log may be lost; then the position of the event before is the best guess.
        position = self.positions.get(event.previous, self.position) if event.previous is not None else self.position
        subject, action = _split_event_type(event.type)
        if subject.endswith("State"):
            position = self._add_state_event(event, position, action)
        elif subject:
            position = self._handlers.get(subject, self._add_task_event)(event, position, action)
        self.positions[event.id] = self.position = position

    def build(self, arn: str, workflow: str, events: tuple[HistoryEvent, ...]) -> Execution:
        """Return the execution after all events."""
        summary = ExecutionSummary(
            arn=arn,
            workflow=workflow,
            status=self.root.status,
            started=events[0].at,
            stopped=self.stopped,
            input_preview=build_preview(self.input),
            response_status=parse_response_status(self.output),
            error=self.error,
        )
        states, name = self.root.build(), parse_execution_name(arn)
        return Execution(summary, self.input, self.output, self.error, self.cause, events, states, name)

    def _add_execution_event(self, event: HistoryEvent, position: _Position, action: str) -> _Position:
        if action == "Started":
            self.input = _to_text(event.details.get("input"))
        elif action == "Redriven":
            self.stopped, self.error, self.cause = None, "", ""
            self.root.reopen()
        elif action in _END_STATUSES:
            self.output = _to_text(event.details.get("output"))
            self.error, self.cause, self.stopped = *_get_failure(event), event.at
            self.root.close(event.at, _END_STATUSES[action], self.error, self.cause)
        return position

    def _add_state_event(self, event: HistoryEvent, position: _Position, action: str) -> _Position:
        kind = event.type.partition("State")[0]
        if action == "Entered":
            return self._enter_state(event, position, kind)
        # Only events of entering and exiting have the state's name.
        name = event.details.get("name") if action == "Exited" else None
        state = position.find_outwards(
            lambda candidate: candidate.is_open and candidate.kind == kind and name in {None, candidate.name}
        )
        if state is None:
            return position
        if action == "Exited":
            state.output = _to_text(event.details.get("output"))
            state.close(event.at, Status.CAUGHT if state.has_failed else Status.SUCCEEDED)
        elif action == "Started":
            state.items = event.details.get("length")
            state.sequences = {}
            state.attempts.append(AttemptBuilder(event.at))
        elif action == "Aborted":
            state.close(event.at, Status.ABORTED)
        elif state.attempts:
            error, cause = _get_inner_failure(state) if action == "Failed" else ("", "")
            state.attempts[-1].close(event.at, _END_STATUSES[action], error, cause)
        return _Position(state.sequence, state)

    def _enter_state(self, event: HistoryEvent, position: _Position, kind: str) -> _Position:
        sequence, previous = position
        if previous is not None and previous.is_open and previous.kind == "Parallel":
            sequence = previous.sequences[len(previous.sequences)] = SequenceBuilder(previous, event.at)
        elif previous is not None and event.previous is None:
            self._mark_if_caught(previous, event.details["name"])
        state = StateBuilder(event.details["name"], kind, sequence, event.at, _to_text(event.details.get("input")))
        sequence.states.append(state)
        return _Position(sequence, state)

    def _mark_if_caught(self, state: StateBuilder, next_name: str) -> None:
        """Infer a caught error from the next state: the emulator does not say that a Map or Parallel failed."""
        if state.kind in _CONTAINER_KINDS and next_name in self._catch_only_targets.get(state.name, ()):
            state.status = Status.CAUGHT
            state.error, state.cause = state.task_failure

    def _add_iteration_event(self, event: HistoryEvent, position: _Position, action: str) -> _Position:
        name = event.details.get("name")
        owner = position.find_outwards(lambda candidate: candidate.name == name and candidate.is_open)
        if owner is None:
            return position
        index = event.details["index"]
        if action == "Started":
            sequence = owner.sequences[index] = SequenceBuilder(owner, event.at)
            return _Position(sequence, None)
        if index in owner.sequences:
            owner.sequences[index].close(event.at, _END_STATUSES[action])
        return _Position(owner.sequence, owner)

    def _add_map_run_event(self, event: HistoryEvent, position: _Position, action: str) -> _Position:
        owner = position.find_outwards(lambda candidate: candidate.kind == "Map" and candidate.is_open)
        if owner is None:
            return position
        owner.map_arn = event.details.get("mapRunArn", owner.map_arn)
        if action == "Failed":
            owner.error, owner.cause = _get_failure(event)
        return _Position(owner.sequence, owner)

    def _add_task_event(self, event: HistoryEvent, position: _Position, action: str) -> _Position:
        state = position.state
        if state is not None and state.is_open and state.kind in _CONTAINER_KINDS:
            _count_task(state, event, action)
            return position
        if state is None or not state.is_open or (action == "Scheduled" and _is_other_task(state, event)):
            state = self._add_state_of_task(event, position)
        if action == "Scheduled":
            # A Lambda's is its input; that of another service are the parameters of the call.
            payload = _to_text(event.details.get("input") or event.details.get("parameters"))
            state.attempts.append(AttemptBuilder(event.at, payload=payload))
        elif action == "Succeeded":
            _get_open_attempt(state, event.at).close(event.at, Status.SUCCEEDED)
            if state.task_resource:
                state.output = _to_text(event.details.get("output"))
                state.close(event.at, Status.SUCCEEDED)
        elif action.endswith("Failed") or action == "TimedOut":
            status = Status.TIMED_OUT if action == "TimedOut" else Status.FAILED
            _get_open_attempt(state, event.at).close(event.at, status, *_get_failure(event))
        return _Position(position.sequence, state)

    def _add_state_of_task(self, event: HistoryEvent, position: _Position) -> StateBuilder:
        """Add a state of which only the task is known: in a child on the emulator, or where only errors are logged."""
        if position.state is not None and position.state.is_open:
            position.state.close(event.at, Status.CAUGHT)
        resource = event.details.get("resource", "")
        name = self._states_by_resource.get(resource, UNKNOWN_STATE)
        state = StateBuilder(name, "Task", position.sequence, event.at, task_resource=resource or "?")
        position.sequence.states.append(state)
        return state


@cache
def _split_event_type(event_type: str) -> tuple[str, str]:
    """Split ``TaskStateEntered`` into ``TaskState`` and ``Entered``; a type that is not known is two empty texts."""
    match = _EVENT_TYPE.fullmatch(event_type)
    return (match[1], match[2]) if match else ("", "")


def _count_task(state: StateBuilder, event: HistoryEvent, action: str) -> None:
    """Count a task in a Map or Parallel on the emulator, whose events do not name the item or branch."""
    index = {"Scheduled": 0, "Succeeded": 1, "Failed": 2, "TimedOut": 2}.get(action)
    if index is not None:
        state.task_counts[index] += 1
        state.task_failure = _get_failure(event) if index == 2 else state.task_failure


def _is_other_task(state: StateBuilder, event: HistoryEvent) -> bool:
    return bool(state.task_resource) and state.task_resource != event.details.get("resource")


def _get_open_attempt(state: StateBuilder, at: datetime) -> AttemptBuilder:
    """Return the attempt that is running; if its start was not logged, one that starts ``at``."""
    if not state.attempts or state.attempts[-1].end is not None:
        state.attempts.append(AttemptBuilder(at))
    return state.attempts[-1]


def _get_failure(event: HistoryEvent) -> tuple[str, str]:
    return event.details.get("error") or "", event.details.get("cause") or ""


def _get_inner_failure(state: StateBuilder) -> tuple[str, str]:
    """Return error and cause of the item or branch that made a Map or Parallel fail."""
    failed = next((sequence for sequence in state.sequences.values() if sequence.has_failed), None)
    return failed.states[-1].failure if failed else (state.error, state.cause)


def _to_text(data: Any) -> str | None:
    """Return data as JSON text, which it is already unless a log has it as JSON itself."""
    return data if data is None or isinstance(data, str) else json.dumps(data)
