"""Fold an execution's events into what happened. Pure, and linear in the number of events.

Each event has a place: the scope it belongs to and the state it is about. On AWS an event names the previous one, so
its place follows from that one's place; of the iterations of a Map and the branches of a Parallel, whose events come
mixed, nothing else tells. Two facts that one would not guess, from histories recorded on AWS: the first event of an
iteration names the last state of the iteration before it, and the exit of a Parallel a state in one of its branches.
So whatever bears a state's name is looked for from its place upwards.

The emulator does not name the previous event; there it is the one before, since it leaves out all that is mixed but
the tasks, which are counted.
"""

import json
import re
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import cache
from typing import Any, Final, NamedTuple

from amberflo_workflows.operate.executions.attempts import OpenAttempt, Scope, StateVisit, frozen
from amberflo_workflows.operate.executions.graph import Graph, names_by_resource, on_error_only
from amberflo_workflows.operate.executions.model import (
    Execution,
    ExecutionSummary,
    HistoryEvent,
    Status,
    execution_name,
    preview,
)

UNNAMED: Final = "(state not logged)"
_PARTS: Final = re.compile(
    r"(Execution|MapIteration|MapRun|(?:Map|Parallel|Task|Wait|Pass|Choice|Succeed|Fail)State|Task|LambdaFunction"
    r"|Activity|Evaluation)([A-Z]\w+)"
)
_ENDS: Final = {
    "Succeeded": Status.SUCCEEDED,
    "Failed": Status.FAILED,
    "TimedOut": Status.TIMED_OUT,
    "Aborted": Status.ABORTED,
}
_WITH_INNER: Final = {"Map", "Parallel"}


class _Place(NamedTuple):
    scope: Scope
    passage: StateVisit | None

    def upwards(self, wanted: Callable[[StateVisit], bool]) -> StateVisit | None:
        """The nearest state around that is wanted."""
        scope, passage = self
        while passage is None or not wanted(passage):
            if scope.owner is None:
                return None
            passage = scope.owner
            scope = passage.scope
        return passage


def build_execution(arn: str, workflow: str, events: Iterable[HistoryEvent], graph: Graph | None = None) -> Execution:
    """The execution that these events tell of, in the order of their ids; it may still be running.

    ``graph`` helps where the events do not tell enough: on the emulator, and where only errors were logged.
    """
    known = tuple(sorted(events, key=lambda event: event.id))
    folding = _Fold(graph)
    for event in known:
        folding.take(event)
    return folding.finished(arn, workflow, known)


class _Fold:
    def __init__(self, graph: Graph | None) -> None:
        self.root = Scope()
        self.place = _Place(self.root, None)
        self.places: dict[int, _Place] = {0: self.place}
        self.input: str | None = None
        self.output: str | None = None
        self.error = self.cause = ""
        self.stopped: datetime | None = None
        self._names = names_by_resource(graph) if graph else {}
        self._on_error_only = on_error_only(graph) if graph else {}
        self._handlers: dict[str, Callable[[HistoryEvent, _Place, str], _Place]] = {
            "Execution": self._execution,
            "MapIteration": self._iteration,
            "MapRun": self._map_run,
        }

    def take(self, event: HistoryEvent) -> None:
        """One more event."""
        # Lines of a log may be lost; then the place before is the best guess.
        place = self.places.get(event.previous, self.place) if event.previous is not None else self.place
        subject, what = _parts(event.type)
        if subject.endswith("State"):
            place = self._state(event, place, what)
        elif subject:
            place = self._handlers.get(subject, self._task)(event, place, what)
        self.places[event.id] = self.place = place

    def finished(self, arn: str, workflow: str, events: tuple[HistoryEvent, ...]) -> Execution:
        """What became of them all."""
        started = events[0].at
        summary = ExecutionSummary(arn, workflow, self.root.status, started, self.stopped, preview(self.input))
        states = frozen(self.root)
        return Execution(summary, self.input, self.output, self.error, self.cause, events, states, execution_name(arn))

    def _execution(self, event: HistoryEvent, place: _Place, what: str) -> _Place:
        if what == "Started":
            self.input = _text(event.details.get("input"))
        elif what == "Redriven":
            self.stopped, self.error, self.cause = None, "", ""
            self.root.reopen()
        elif what in _ENDS:
            self.output = _text(event.details.get("output"))
            self.error, self.cause, self.stopped = *_failure(event), event.at
            self.root.close(event.at, _ENDS[what], self.error, self.cause)
        return place

    def _state(self, event: HistoryEvent, place: _Place, what: str) -> _Place:
        kind = event.type.partition("State")[0]
        if what == "Entered":
            return self._entered(event, place, kind)
        # Only what enters and exits bears its name.
        name = event.details.get("name") if what == "Exited" else None
        passage = place.upwards(lambda one: one.is_open and one.kind == kind and name in {None, one.name})
        if passage is None:
            return place
        if what == "Exited":
            passage.output = _text(event.details.get("output"))
            passage.close(event.at, Status.CAUGHT if passage.failing else Status.SUCCEEDED)
        elif what == "Started":
            passage.items = event.details.get("length")
            passage.inner = {}
            passage.attempts.append(OpenAttempt(event.at))
        elif what == "Aborted":
            passage.close(event.at, Status.ABORTED)
        elif passage.attempts:
            error, cause = _inner_failure(passage) if what == "Failed" else ("", "")
            passage.attempts[-1].close(event.at, _ENDS[what], error, cause)
        return _Place(passage.scope, passage)

    def _entered(self, event: HistoryEvent, place: _Place, kind: str) -> _Place:
        scope, before = place
        if before is not None and before.is_open and before.kind == "Parallel":
            scope = before.inner[len(before.inner)] = Scope(before, event.at)
        elif before is not None and event.previous is None:
            self._was_it_caught(before, event.details["name"])
        passage = StateVisit(event.details["name"], kind, scope, event.at, _text(event.details.get("input")))
        scope.passages.append(passage)
        return _Place(scope, passage)

    def _was_it_caught(self, before: StateVisit, name: str) -> None:
        """The emulator does not say that a Map or Parallel failed; that its Catch was followed does."""
        if before.kind in _WITH_INNER and name in self._on_error_only.get(before.name, ()):
            before.status = Status.CAUGHT
            before.error, before.cause = before.counted_failure

    def _iteration(self, event: HistoryEvent, place: _Place, what: str) -> _Place:
        owner = place.upwards(lambda passage: passage.name == event.details.get("name") and passage.is_open)
        if owner is None:
            return place
        index = event.details["index"]
        if what == "Started":
            scope = owner.inner[index] = Scope(owner, event.at)
            return _Place(scope, None)
        if index in owner.inner:
            owner.inner[index].close(event.at, _ENDS[what])
        return _Place(owner.scope, owner)

    def _map_run(self, event: HistoryEvent, place: _Place, what: str) -> _Place:
        owner = place.upwards(lambda passage: passage.kind == "Map" and passage.is_open)
        if owner is None:
            return place
        owner.map_arn = event.details.get("mapRunArn", owner.map_arn)
        if what == "Failed":
            owner.error, owner.cause = _failure(event)
        return _Place(owner.scope, owner)

    def _task(self, event: HistoryEvent, place: _Place, what: str) -> _Place:
        passage = place.passage
        if passage is not None and passage.is_open and passage.kind in _WITH_INNER:
            return self._counted(event, place, what)
        if passage is None or not passage.is_open or (what == "Scheduled" and self._is_another(passage, event)):
            passage = self._implied(event, place)
        if what == "Scheduled":
            passage.attempts.append(OpenAttempt(event.at))
        elif what == "Succeeded":
            _running(passage, event.at).close(event.at, Status.SUCCEEDED)
            if passage.implied:
                passage.output = _text(event.details.get("output"))
                passage.close(event.at, Status.SUCCEEDED)
        elif what.endswith("Failed") or what == "TimedOut":
            status = Status.TIMED_OUT if what == "TimedOut" else Status.FAILED
            _running(passage, event.at).close(event.at, status, *_failure(event))
        return _Place(place.scope, passage)

    def _counted(self, event: HistoryEvent, place: _Place, what: str) -> _Place:
        """Tasks of the emulator's Maps and Parallels: it does not tell of which item or branch they are."""
        owner = place.passage
        which = {"Scheduled": 0, "Succeeded": 1, "Failed": 2, "TimedOut": 2}.get(what)
        if owner is not None and which is not None:
            owner.counts[which] += 1
            owner.counted_failure = _failure(event) if which == 2 else owner.counted_failure
        return place

    def _is_another(self, passage: StateVisit, event: HistoryEvent) -> bool:
        return bool(passage.implied) and passage.implied != event.details.get("resource")

    def _implied(self, event: HistoryEvent, place: _Place) -> StateVisit:
        """A state of which only the task is known: in a child on the emulator, or where only errors are logged."""
        if place.passage is not None and place.passage.is_open:
            place.passage.close(event.at, Status.CAUGHT)
        resource = event.details.get("resource", "")
        passage = StateVisit(self._names.get(resource, UNNAMED), "Task", place.scope, event.at, implied=resource or "?")
        place.scope.passages.append(passage)
        return passage


@cache
def _parts(event_type: str) -> tuple[str, str]:
    """``TaskStateEntered`` as ``TaskState`` and ``Entered``; nothing for a type that came into being later."""
    found = _PARTS.fullmatch(event_type)
    return (found[1], found[2]) if found else ("", "")


def _running(passage: StateVisit, at: datetime) -> OpenAttempt:
    """The try under way; where its begin was not logged, one that begins now."""
    if not passage.attempts or passage.attempts[-1].end is not None:
        passage.attempts.append(OpenAttempt(at))
    return passage.attempts[-1]


def _failure(event: HistoryEvent) -> tuple[str, str]:
    return event.details.get("error") or "", event.details.get("cause") or ""


def _inner_failure(passage: StateVisit) -> tuple[str, str]:
    """Of the item or branch that made a Map or Parallel fail."""
    failed = next((scope for scope in passage.inner.values() if scope.failing), None)
    return failed.passages[-1].failure if failed else (passage.error, passage.cause)


def _text(data: Any) -> str | None:
    """Data as text: it comes as JSON text, unless a log shows it as JSON itself."""
    return data if data is None or isinstance(data, str) else json.dumps(data)
