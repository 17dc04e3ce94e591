"""The filters of the executions page, which its address holds."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlencode

from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.executions.content import parse_response_filter
from amberflo_workflows.operate.executions.model import Status
from amberflo_workflows.operate.executions.reader import Query
from amberflo_workflows.operate.times import InvalidTime, parse_time

PAGE_SIZE: Final = 50
# The value of the choice that shows fields for a start and an end.
RANGE: Final = "range"
SPANS: Final = {
    "": "Any time",
    "15m": "Last 15 minutes",
    "1h": "Last hour",
    "1d": "Last day",
    "7d": "Last 7 days",
    RANGE: "Time range…",
}
STATUSES: Final = (Status.FAILED, Status.TIMED_OUT, Status.RUNNING, Status.SUCCEEDED, Status.ABORTED)
RESPONSES: Final = {"": "All", "error": "Errors (4xx, 5xx)", "4xx": "4xx", "5xx": "5xx", "2xx": "2xx"}


@dataclass(frozen=True)
class ExecutionFilter:
    """The filters as they were entered; ``since`` is a duration before now or :data:`RANGE`."""

    workflow: str = ""
    status: str = ""
    response: str = ""
    since: str = ""
    start: str = ""
    end: str = ""
    tenant: str = ""
    error: str = ""
    text: str = ""
    console: str = ""

    @classmethod
    def parse(cls, params: Mapping[str, str]) -> "ExecutionFilter":
        """Parse the parameters of an address. A start and an end apply only if no other time span is selected."""
        values = {name: params.get(name, "").strip() for name in cls.__dataclass_fields__}
        # `from` is a word of Python.
        start, end = (_normalize_time(params.get(name, "")) for name in ("from", "to"))
        since = params.get("since", RANGE if start or end else "")
        return cls(**{**values, "since": since, **({"start": start, "end": end} if since == RANGE else {})})

    @property
    def parameters(self) -> dict[str, str]:
        """The parameters of the address, without empty ones."""
        names = {"start": "from", "end": "to"}
        return {names.get(name, name): value for name, value in vars(self).items() if value}

    @property
    def address(self) -> str:
        """The query of the address."""
        return urlencode(self.parameters)

    def build_query(self, page_token: str = "") -> Query:
        """Build the query for a page of executions. Raises :class:`OperatorError` for an invalid filter."""
        if self.status and self.status not in set(Status):
            raise OperatorError(f"Unknown status '{self.status}'. Valid statuses: {', '.join(Status)}.")
        since = _parse_time("From", self.start if self.since == RANGE else self.since)
        until = _parse_time("To", self.end)
        if since and until and since >= until:
            raise OperatorError("The start of the time range is not before its end.")
        return Query(
            workflow=self.workflow or None,
            status=Status(self.status) if self.status else None,
            response=parse_response_filter(self.response) if self.response else None,
            since=since,
            until=until,
            tenant=self.tenant,
            error=self.error,
            text=self.text,
            from_console=bool(self.console),
            page_token=page_token,
            limit=PAGE_SIZE,
        )


def _normalize_time(text: str) -> str:
    """Return a time as a field for it shows it; a text that is no time stays, for an error that quotes it."""
    try:
        time = _parse_time("", text.strip())
    except OperatorError:
        return text.strip()
    return f"{time:%Y-%m-%dT%H:%M:%S}" if time else ""


def _parse_time(field: str, text: str) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.fromtimestamp(parse_time(text, int(time.time()), UTC).seconds, UTC)
    except InvalidTime as error:
        raise OperatorError(f"{field}: {error}.") from None
