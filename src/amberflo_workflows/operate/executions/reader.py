"""The interface of the readers of executions, and the pages that they return."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.executions.content import build_error_text, contains, names_tenant
from amberflo_workflows.operate.executions.model import (
    Execution,
    ExecutionResult,
    ExecutionSummary,
    LogLine,
    Status,
)

# Executions examined for one page; each costs a call to read its input.
MAX_EXAMINED: Final = 500


class NoSuchExecution(OperatorError):
    """The execution was not found."""


@dataclass(frozen=True)
class Query:
    """Which executions to list. ``page_token`` is that of the page before.

    ``text`` is in the name, the input or the error, ``error`` in the error, in upper or lower case. ``tenant`` is the
    complete id of a tenant in the input, ``response`` the status of the response.
    Those that the console started to read something are left out unless ``from_console``.
    """

    workflow: str | None = None
    status: Status | None = None
    since: datetime | None = None
    until: datetime | None = None
    text: str = ""
    error: str = ""
    tenant: str = ""
    response: range | None = None
    name_prefix: str = ""
    from_console: bool = False
    page_token: str = ""
    limit: int = 20

    def matches(self, summary: ExecutionSummary) -> bool:
        """Whether an execution matches, apart from ``workflow`` and what :meth:`matches_content` compares."""
        return (
            (self.status is None or summary.status is self.status)
            and (self.since is None or summary.started >= self.since)
            and (self.until is None or summary.started < self.until)
            and (not self.page_token or build_page_token(summary) < self.page_token)
            and summary.name.startswith(self.name_prefix)
            and (self.from_console or not summary.is_from_console)
        )

    def matches_content(self, execution: Execution | ExecutionResult) -> bool:
        """Whether the data of an execution matches."""
        if self.response is not None and execution.summary.response_status not in self.response:
            return False
        if self.tenant and not names_tenant(execution.input, self.tenant):
            return False
        if not self.text and not self.error:
            return True
        error = build_error_text(execution.error, execution.cause, execution.output)
        places = (execution.summary.name, execution.input, error)
        return contains(error, self.error) and any(contains(place, self.text) for place in places)


@dataclass(frozen=True)
class Page:
    """Executions, newest first; ``next_token`` is the token for older ones, empty if there are none."""

    summaries: tuple[ExecutionSummary, ...]
    next_token: str

    @property
    def reached(self) -> datetime | None:
        """The start up to which executions were examined; ``None`` if there are no older ones."""
        return parse_page_time(self.next_token) if self.next_token else None


class Reader(Protocol):
    """Reads executions."""

    def list_page(self, query: Query) -> Page:
        """List executions; a page may have fewer than the limit and still a next page."""

    def list_recent(self, query: Query, max_reads: int) -> Sequence[ExecutionSummary]:
        """List the newest executions, to count them; they may lack the preview of the input.

        The response of at most ``max_reads`` executions is read if each costs a call, and is cached.
        """

    def get(self, arn: str) -> Execution:
        """Read an execution with its history. Raises :class:`NoSuchExecution`."""

    def read_log_lines(self, execution: Execution) -> Iterator[LogLine]:
        """Read the lines that its tasks logged, oldest first."""


def build_page_token(summary: ExecutionSummary) -> str:
    """Return the token of a page that ends with this execution; a newer execution's token is greater.

    It is the same for every reader, so that their pages can be merged.
    """
    return f"{to_millis(summary.started):015d} {summary.arn}"


def parse_page_time(token: str) -> datetime:
    """Return the start of the execution that a page ends with."""
    return datetime.fromtimestamp(int(token.split(maxsplit=1)[0]) / 1000, UTC)


def to_millis(time: datetime) -> int:
    """Return the milliseconds since the epoch, rounded down: the precision of AWS."""
    return int(time.timestamp() * 1000)


def merge_pages(pages: Iterable[Page], limit: int) -> Page:
    """Merge pages that have the same limit."""
    pages = list(pages)
    # After the end of its page a reader may have more, so no older execution can be listed yet.
    horizon = max((page.next_token for page in pages), default="")
    summaries = sorted((summary for page in pages for summary in page.summaries), key=build_page_token, reverse=True)
    complete = [summary for summary in summaries if build_page_token(summary) >= horizon]
    if len(complete) > limit:
        return Page(tuple(complete[:limit]), build_page_token(complete[limit - 1]))
    return Page(tuple(complete), horizon)
