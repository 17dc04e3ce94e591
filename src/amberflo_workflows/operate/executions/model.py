"""What an execution is: frozen, typed, free of AWS. Times are aware datetimes; data is JSON text as it came."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

PREVIEW_LENGTH: Final = 200


class Status(StrEnum):
    """Of an execution, a state, a try or an iteration; only a state can be ``caught``: it failed, and it went on."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed-out"
    ABORTED = "aborted"
    CAUGHT = "caught"

    @property
    def is_bad(self) -> bool:
        """Whether it ended otherwise than it should."""
        return self in {Status.FAILED, Status.TIMED_OUT, Status.ABORTED}

    @classmethod
    def of(cls, text: str) -> "Status":
        """As Step Functions writes it: ``TIMED_OUT``. What waits for a redrive has failed."""
        return cls.FAILED if text == "PENDING_REDRIVE" else cls(text.lower().replace("_", "-"))


@dataclass(frozen=True)
class HistoryEvent:
    """One event of a history or of a log; ``previous`` is ``None`` where the source does not tell."""

    id: int
    type: str
    at: datetime
    previous: int | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ExecutionSummary:
    """An execution in a list. ``started`` is that of its first known event if its start was not logged."""

    arn: str
    workflow: str
    status: Status
    started: datetime
    stopped: datetime | None = None
    input_preview: str = ""

    @property
    def name(self) -> str:
        """Of the execution, as its steps know it. Express ones have a further part in their ARN."""
        return execution_name(self.arn)


@dataclass(frozen=True)
class TaskAttempt:
    """One attempt of a state; ``wait_seconds`` until the next one, if there was a next one."""

    start: datetime
    end: datetime | None
    status: Status
    error: str = ""
    cause: str = ""
    wait_seconds: float | None = None


@dataclass(frozen=True)
class TaskCount:
    """Tasks inside a Map or Parallel of which the history does not tell whose they are."""

    started: int
    succeeded: int
    failed: int


@dataclass(frozen=True)
class Iteration:
    """An item of a Map: its states, or the ARN of the execution that is to be opened for them."""

    index: int
    status: Status
    started: datetime
    ended: datetime | None
    states: tuple["StateRun", ...] = ()
    arn: str = ""


@dataclass(frozen=True)
class MapRun:
    """How a Map went over its items; ``items`` is ``None`` where the history does not tell how many there are."""

    items: int | None
    iterations: tuple[Iteration, ...]
    arn: str = ""


@dataclass(frozen=True)
class StateRun:
    """One passage through a state."""

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
    """An execution whole. ``log_name`` is what its tasks write into each line of their logs."""

    summary: ExecutionSummary
    input: str | None
    output: str | None
    error: str
    cause: str
    events: tuple[HistoryEvent, ...]
    states: tuple[StateRun, ...]
    log_name: str


@dataclass(frozen=True)
class LogLine:
    """A line that a task wrote; ``resource`` is the ARN of its function, ``text`` the line as it is."""

    at: datetime
    resource: str
    level: str
    message: str
    text: str


def execution_name(arn: str) -> str:
    """The execution's name in its ARN."""
    return arn.split(":")[7]


def preview(text: str | None) -> str:
    """The beginning of an input, in one line."""
    return " ".join((text or "")[: 2 * PREVIEW_LENGTH].split())[:PREVIEW_LENGTH]


def all_state_runs(states: Iterable[StateRun]) -> Iterator[StateRun]:
    """The states, and those inside them."""
    for state in states:
        yield state
        for branch in state.branches:
            yield from all_state_runs(branch)
        for iteration in state.map.iterations if state.map else ():
            yield from all_state_runs(iteration.states)
