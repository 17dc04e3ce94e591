"""What can be asked about executions, wherever their history is kept."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.executions.model import Execution, ExecutionSummary, LogLine, Status

# As many executions are looked at for one page at most: each costs a call where its input is to be known.
MOST_LOOKED_AT: Final = 500


class NoSuchExecution(OperatorError):
    """Nothing is known of an execution."""


@dataclass(frozen=True)
class Query:
    """Which executions, newest first. ``before`` is the token of the page before; ``text`` is looked for in inputs."""

    workflow: str | None = None
    status: Status | None = None
    since: datetime | None = None
    until: datetime | None = None
    text: str = ""
    name_prefix: str = ""
    before: str = ""
    limit: int = 20

    def wants(self, summary: ExecutionSummary) -> bool:
        """Whether an execution is asked for, as far as can be told without its input."""
        return (
            (self.status is None or summary.status is self.status)
            and (self.since is None or summary.started >= self.since)
            and (self.until is None or summary.started < self.until)
            and (not self.before or token(summary) < self.before)
            and summary.name.startswith(self.name_prefix)
        )


@dataclass(frozen=True)
class Page:
    """Executions, newest first; ``next`` is the token for what is older, empty if there is nothing older."""

    summaries: tuple[ExecutionSummary, ...]
    next: str


class Reader(Protocol):
    """Tells of executions."""

    def page(self, query: Query) -> Page:
        """Executions that were asked for; the page may be short of them and have a next one."""

    def recent(self, query: Query) -> Sequence[ExecutionSummary]:
        """The newest executions that were asked for, to be counted: their inputs need not be known."""

    def get(self, arn: str) -> Execution:
        """An execution whole. Raises :class:`NoSuchExecution`."""

    def log_lines(self, execution: Execution) -> Iterator[LogLine]:
        """What its tasks logged, oldest first."""


def token(summary: ExecutionSummary) -> str:
    """Where a page ends: the same for every reader, so that their pages can be merged. Greater is newer."""
    return f"{int(summary.started.timestamp() * 1000):015d} {summary.arn}"


def newest(pages: Iterable[Page], limit: int) -> Page:
    """One page of several, of which each had the same limit."""
    given = list(pages)
    # Beyond the end of a short page its reader may know more, so nothing older can be told yet.
    horizon = max((page.next for page in given), default="")
    found = sorted((summary for page in given for summary in page.summaries), key=token, reverse=True)
    sure = [summary for summary in found if token(summary) >= horizon]
    if len(sure) > limit:
        return Page(tuple(sure[:limit]), token(sure[limit - 1]))
    return Page(tuple(sure), horizon)
