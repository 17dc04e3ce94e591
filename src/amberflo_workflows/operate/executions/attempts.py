"""The mutable half of the fold: states while their events come in, and how they become part of the model."""

from dataclasses import dataclass, field
from datetime import datetime

from amberflo_workflows.operate.executions.model import Iteration, MapRun, StateRun, Status, TaskAttempt, TaskCount


@dataclass
class OpenAttempt:
    """A try that may still be going on."""

    start: datetime
    end: datetime | None = None
    status: Status = Status.RUNNING
    error: str = ""
    cause: str = ""

    def close(self, at: datetime, status: Status, error: str = "", cause: str = "") -> None:
        """It ended."""
        self.end, self.status, self.error, self.cause = at, status, error, cause


@dataclass
class Scope:
    """States that come after one another: of the machine itself, of one item of a Map, of one branch of a Parallel."""

    owner: "StateVisit | None" = None
    started: datetime | None = None
    ended: datetime | None = None
    status: Status = Status.RUNNING
    passages: list["StateVisit"] = field(default_factory=list)

    def close(self, at: datetime, status: Status, error: str = "", cause: str = "") -> None:
        """It ended, and with it the state that was under way."""
        self.ended, self.status = at, status
        last = self.passages[-1] if self.passages else None
        if last is not None and last.is_open:
            was_caught = status is Status.SUCCEEDED and last.failing
            last.close(at, Status.CAUGHT if was_caught else status, error, cause)

    def reopen(self) -> None:
        """A redrive goes on with it, and with the state that ended it."""
        self.ended, self.status = None, Status.RUNNING
        if self.passages:
            self.passages[-1].reopen()

    @property
    def failing(self) -> bool:
        """Whether it is this that made the state around it fail."""
        return bool(self.passages) and self.passages[-1].failing


@dataclass
class StateVisit:
    """A passage through a state. ``implied``: no event said so, its task did."""

    name: str
    kind: str
    scope: Scope
    entered: datetime
    input: str | None = None
    implied: str = ""
    exited: datetime | None = None
    output: str | None = None
    status: Status = Status.RUNNING
    error: str = ""
    cause: str = ""
    items: int | None = None
    map_arn: str = ""
    attempts: list[OpenAttempt] = field(default_factory=list)
    inner: dict[int, Scope] = field(default_factory=dict)
    counts: list[int] = field(default_factory=lambda: [0, 0, 0])
    counted_failure: tuple[str, str] = ("", "")

    @property
    def is_open(self) -> bool:
        """Whether it has not ended."""
        return self.status is Status.RUNNING

    @property
    def failing(self) -> bool:
        """Whether what it tried last failed."""
        if self.kind == "Fail":
            return True
        return bool(self.attempts) and self.attempts[-1].status in {Status.FAILED, Status.TIMED_OUT}

    @property
    def failure(self) -> tuple[str, str]:
        """Error and cause, of the state or of its last try."""
        if self.error or not self.attempts:
            return self.error, self.cause
        return self.attempts[-1].error, self.attempts[-1].cause

    def close(self, at: datetime, status: Status, error: str = "", cause: str = "") -> None:
        """It ended, and with it all that is still under way inside."""
        self.exited, self.status = at, status
        if self.attempts and self.attempts[-1].end is None:
            self.attempts[-1].close(at, status, error, cause)
        if status is not Status.SUCCEEDED and not self.error:
            self.error, self.cause = self.failure if self.failing and self.failure[0] else (error, cause)
        for scope in self.inner.values():
            if scope.status is Status.RUNNING:
                scope.close(at, _inside(scope, status))

    def reopen(self) -> None:
        """A redrive goes on with it."""
        self.exited, self.status, self.error, self.cause = None, Status.RUNNING, "", ""

    def frozen(self) -> StateRun:
        """As it stands."""
        return StateRun(
            name=self.name,
            kind=self.kind,
            status=self.status,
            entered=self.entered,
            exited=self.exited,
            input=self.input,
            output=self.output,
            error=self.error,
            cause=self.cause,
            tries=tuple(_tries(self.attempts)),
            map=self._map_run() if self.kind == "Map" else None,
            branches=tuple(frozen(scope) for scope in self.inner.values()) if self.kind == "Parallel" else (),
            tasks=TaskCount(*self.counts) if any(self.counts) else None,
        )

    def _map_run(self) -> MapRun:
        iterations = (
            Iteration(index, scope.status, scope.started or self.entered, scope.ended, frozen(scope))
            for index, scope in sorted(self.inner.items())
        )
        return MapRun(self.items, tuple(iterations), self.map_arn)


def frozen(scope: Scope) -> tuple[StateRun, ...]:
    """The states of a scope as they stand."""
    return tuple(passage.frozen() for passage in scope.passages)


def _inside(scope: Scope, status: Status) -> Status:
    """What was under way in a state that failed did not fail itself, but for that which made it fail."""
    if status not in {Status.FAILED, Status.CAUGHT}:
        return status
    return Status.FAILED if scope.failing else Status.ABORTED


def _tries(attempts: list[OpenAttempt]) -> list[TaskAttempt]:
    following = [*attempts[1:], None]
    return [
        TaskAttempt(
            attempt.start,
            attempt.end,
            attempt.status,
            attempt.error,
            attempt.cause,
            (after.start - attempt.end).total_seconds() if after and attempt.end else None,
        )
        for attempt, after in zip(attempts, following, strict=False)
    ]
