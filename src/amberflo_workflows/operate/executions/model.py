"""Executions as immutable types, independent of AWS. Times have a time zone; data is JSON text, unchanged."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from amberflo_workflows.core.executions import CONSOLE_PREFIX
from amberflo_workflows.operate.executions.content import FIRST_ERROR_STATUS

PREVIEW_LENGTH: Final = 200


class Status(StrEnum):
    """The status of an execution, a state, an attempt or an iteration.

    Only a state can be ``caught``: it failed, and the execution continued.
    """

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed-out"
    ABORTED = "aborted"
    CAUGHT = "caught"

    @property
    def is_failure(self) -> bool:
        """Whether it ended without success."""
        return self in {Status.FAILED, Status.TIMED_OUT, Status.ABORTED}

    @classmethod
    def parse(cls, text: str) -> "Status":
        """Parse a status of Step Functions, such as ``TIMED_OUT``; a child that waits for a redrive has failed."""
        return cls.FAILED if text == "PENDING_REDRIVE" else cls(text.lower().replace("_", "-"))


@dataclass(frozen=True)
class HistoryEvent:
    """An event of a history or a log; ``previous`` is the id of the previous event, ``None`` if it is not known."""

    id: int
    type: str
    at: datetime
    previous: int | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ExecutionSummary:
    """An execution in a list. If its start was not logged, ``started`` is the time of its first known event.

    ``response_status`` is the ``statusCode`` in the output of one that succeeded, ``None`` if it is not known.
    """

    arn: str
    workflow: str
    status: Status
    started: datetime
    stopped: datetime | None = None
    input_preview: str = ""
    response_status: int | None = None
    error: str = ""

    @property
    def has_error_response(self) -> bool:
        """Whether it succeeded and its response says that it did not do what was requested."""
        return self.response_status is not None and self.response_status >= FIRST_ERROR_STATUS

    @property
    def name(self) -> str:
        """The execution's name, which its steps log. The ARN of an express execution has one more part."""
        return parse_execution_name(self.arn)

    @property
    def is_from_console(self) -> bool:
        """Whether the console started it to read something."""
        return self.name.startswith(CONSOLE_PREFIX)


@dataclass(frozen=True)
class TaskAttempt:
    """One attempt of a state; ``wait_seconds`` is the time until the next attempt, if there was one.

    ``payload`` is what the task received, if the history has it.
    """

    start: datetime
    end: datetime | None
    status: Status
    error: str = ""
    cause: str = ""
    wait_seconds: float | None = None
    payload: str | None = None


@dataclass(frozen=True)
class TaskCount:
    """Tasks in a Map or Parallel, if the history does not say to which item or branch each belongs."""

    started: int
    succeeded: int
    failed: int


@dataclass(frozen=True)
class Iteration:
    """An item of a Map: its states, or the ARN of the child execution that has them."""

    index: int
    status: Status
    started: datetime
    ended: datetime | None
    states: tuple["StateRun", ...] = ()
    arn: str = ""


@dataclass(frozen=True)
class MapRun:
    """The iterations of a Map; ``items`` is the number of items, ``None`` if it is not known."""

    items: int | None
    iterations: tuple[Iteration, ...]
    arn: str = ""


@dataclass(frozen=True)
class StateRun:
    """One run of a state, from entering to exiting it. ``tries`` are its attempts."""

    name: str
    kind: str
    status: Status
    entered: datetime
    exited: datetime | None
    input: str | None
    output: str | None
    error: str = ""
    cause: str = ""
    tries: tuple[TaskAttempt, ...] = ()
    map: MapRun | None = None
    branches: tuple[tuple["StateRun", ...], ...] = ()
    tasks: TaskCount | None = None


@dataclass(frozen=True)
class Execution:
    """An execution with its history. ``log_name`` is the name that its tasks log in each line."""

    summary: ExecutionSummary
    input: str | None
    output: str | None
    error: str
    cause: str
    events: tuple[HistoryEvent, ...]
    states: tuple[StateRun, ...]
    log_name: str


@dataclass(frozen=True)
class ExecutionResult:
    """An execution without its history. ``output`` is that of one that succeeded."""

    summary: ExecutionSummary
    input: str | None
    output: str | None
    error: str
    cause: str


@dataclass(frozen=True)
class LogLine:
    """A line that a task logged; ``resource`` is the ARN of its function, ``text`` the complete line."""

    at: datetime
    resource: str
    level: str
    message: str
    text: str


def parse_execution_name(arn: str) -> str:
    """Return the execution's name, which is part of its ARN."""
    return arn.split(":")[7]


def build_preview(text: str | None) -> str:
    """Return the beginning of an input, on one line."""
    return " ".join((text or "")[: 2 * PREVIEW_LENGTH].split())[:PREVIEW_LENGTH]


def iterate_state_runs(states: Iterable[StateRun]) -> Iterator[StateRun]:
    """Yield the states and those inside them."""
    for state in states:
        yield state
        for branch in state.branches:
            yield from iterate_state_runs(branch)
        for iteration in state.map.iterations if state.map else ():
            yield from iterate_state_runs(iteration.states)
