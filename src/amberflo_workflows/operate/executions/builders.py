"""Mutable counterparts of the model, filled event by event while a history is read."""

from dataclasses import dataclass, field
from datetime import datetime

from amberflo_workflows.operate.executions.model import Iteration, MapRun, StateRun, Status, TaskAttempt, TaskCount


@dataclass
class AttemptBuilder:
    """An attempt of a state."""

    start: datetime
    end: datetime | None = None
    status: Status = Status.RUNNING
    error: str = ""
    cause: str = ""
    payload: str | None = None

    def close(self, at: datetime, status: Status, error: str = "", cause: str = "") -> None:
        """End the attempt."""
        self.end, self.status, self.error, self.cause = at, status, error, cause


@dataclass
class SequenceBuilder:
    """States that run one after another: of the workflow, of an item of a Map, or of a branch of a Parallel.

    ``owner`` is the Map or Parallel around them; ``None`` for those of the workflow.
    """

    owner: "StateBuilder | None" = None
    started: datetime | None = None
    ended: datetime | None = None
    status: Status = Status.RUNNING
    states: list["StateBuilder"] = field(default_factory=list)

    def close(self, at: datetime, status: Status, error: str = "", cause: str = "") -> None:
        """End the sequence and the state that is still running."""
        self.ended, self.status = at, status
        last = self.states[-1] if self.states else None
        if last is not None and last.is_open:
            was_caught = status is Status.SUCCEEDED and last.has_failed
            last.close(at, Status.CAUGHT if was_caught else status, error, cause)

    def reopen(self) -> None:
        """Continue after a redrive, in the state that ended the sequence."""
        self.ended, self.status = None, Status.RUNNING
        if self.states:
            self.states[-1].reopen()

    @property
    def has_failed(self) -> bool:
        """Whether its last state failed, and with it the Map or Parallel around it."""
        return bool(self.states) and self.states[-1].has_failed

    def build(self) -> tuple[StateRun, ...]:
        """Return the states as they are now."""
        return tuple(state.build() for state in self.states)


@dataclass
class StateBuilder:
    """One run of a state.

    ``task_resource`` is set if the state is known only from the events of its task: the task's resource. ``sequences``
    are the items of a Map or the branches of a Parallel; ``task_counts`` are scheduled, succeeded and failed tasks
    whose item or branch is unknown, and ``task_failure`` is the error and cause of the last of them that failed.
    """

    name: str
    kind: str
    sequence: SequenceBuilder
    entered: datetime
    input: str | None = None
    task_resource: str = ""
    exited: datetime | None = None
    output: str | None = None
    status: Status = Status.RUNNING
    error: str = ""
    cause: str = ""
    items: int | None = None
    map_arn: str = ""
    attempts: list[AttemptBuilder] = field(default_factory=list)
    sequences: dict[int, SequenceBuilder] = field(default_factory=dict)
    task_counts: list[int] = field(default_factory=lambda: [0, 0, 0])
    task_failure: tuple[str, str] = ("", "")

    @property
    def is_open(self) -> bool:
        """Whether it has not ended."""
        return self.status is Status.RUNNING

    @property
    def has_failed(self) -> bool:
        """Whether its last attempt failed; a Fail state always does."""
        if self.kind == "Fail":
            return True
        return bool(self.attempts) and self.attempts[-1].status in {Status.FAILED, Status.TIMED_OUT}

    @property
    def failure(self) -> tuple[str, str]:
        """Error and cause, of the state or of its last attempt."""
        if self.error or not self.attempts:
            return self.error, self.cause
        return self.attempts[-1].error, self.attempts[-1].cause

    def close(self, at: datetime, status: Status, error: str = "", cause: str = "") -> None:
        """End the state and everything inside it that is still running."""
        self.exited, self.status = at, status
        if self.attempts and self.attempts[-1].end is None:
            self.attempts[-1].close(at, status, error, cause)
        if status is not Status.SUCCEEDED and not self.error:
            self.error, self.cause = self.failure if self.has_failed and self.failure[0] else (error, cause)
        for sequence in self.sequences.values():
            if sequence.status is Status.RUNNING:
                sequence.close(at, _infer_status(sequence, status))

    def reopen(self) -> None:
        """Continue after a redrive."""
        self.exited, self.status, self.error, self.cause = None, Status.RUNNING, "", ""

    def build(self) -> StateRun:
        """Return the state as it is now."""
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
            tries=tuple(_build_attempts(self.attempts)),
            map=self._build_map_run() if self.kind == "Map" else None,
            branches=tuple(branch.build() for branch in self.sequences.values()) if self.kind == "Parallel" else (),
            tasks=TaskCount(*self.task_counts) if any(self.task_counts) else None,
        )

    def _build_map_run(self) -> MapRun:
        iterations = (
            Iteration(index, item.status, item.started or self.entered, item.ended, item.build())
            for index, item in sorted(self.sequences.items())
        )
        return MapRun(self.items, tuple(iterations), self.map_arn)


def _infer_status(sequence: SequenceBuilder, status: Status) -> Status:
    """Return how an item or branch ended with its state: if the state failed, all but the failed one were aborted."""
    if status not in {Status.FAILED, Status.CAUGHT}:
        return status
    return Status.FAILED if sequence.has_failed else Status.ABORTED


def _build_attempts(attempts: list[AttemptBuilder]) -> list[TaskAttempt]:
    following = [*attempts[1:], None]
    return [
        TaskAttempt(
            attempt.start,
            attempt.end,
            attempt.status,
            attempt.error,
            attempt.cause,
            (after.start - attempt.end).total_seconds() if after and attempt.end else None,
            attempt.payload,
        )
        for attempt, after in zip(attempts, following, strict=False)
    ]
