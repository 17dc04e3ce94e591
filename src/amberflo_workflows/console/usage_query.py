"""The query of the usage page, from its URL parameters."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from starlette.datastructures import QueryParams

from amberflo_workflows.operate.api_client import Query
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.times import InvalidTime, parse_duration, parse_time
from amberflo_workflows.operate.usage_report import choose_interval

INTERVALS: Final = {"hour": 3600, "day": 86_400, "week": 604_800, "month": 2_419_200}
RANGES: Final = {"24h": "Last 24 hours", "7d": "Last 7 days", "30d": "Last 30 days"}
CUSTOM_RANGE: Final = "between"
DEFAULT_RANGE: Final = "7d"
# More intervals could not be drawn or read, and with many groups the API's response would be too large.
MAX_INTERVALS: Final = 3_000
_FILTER: Final = "filter."


@dataclass(frozen=True)
class UsageQuery:
    """The options of the form, as text. ``filters`` has the values of each dimension that is limited to some.

    ``compares`` asks for the period before as well.
    """

    meter: str = ""
    tenants: tuple[str, ...] = ()
    interval: str = ""
    groups: tuple[str, ...] = ()
    filters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    range: str = DEFAULT_RANGE
    since: str = ""
    until: str = ""
    compares: bool = False

    @classmethod
    def parse(cls, params: QueryParams) -> "UsageQuery":
        """Parse URL parameters; empty ones count as missing, since a form also sends the fields without input."""
        filters = {
            name.removeprefix(_FILTER): _parse_lines(params, name) for name in params if name.startswith(_FILTER)
        }
        since, until = params.get("from", "").strip(), params.get("to", "").strip()
        return cls(
            meter=params.get("meter", ""),
            tenants=_parse_lines(params, "tenant"),
            interval=params.get("interval", ""),
            groups=tuple(group for group in params.getlist("group") if group),
            filters={name: values for name, values in filters.items() if name and values},
            range=params.get("range") or (CUSTOM_RANGE if since else DEFAULT_RANGE),
            since=since,
            until=until,
            compares=params.get("compare") == "before",
        )

    def resolve_range(self, now: int) -> tuple[int, int]:
        """The start and the end of the time range, in epoch seconds. Raises :class:`OperatorError`."""
        if self.range == CUSTOM_RANGE:
            start = parse_seconds("From", self.since, now)
            end = parse_seconds("To", self.until, now) if self.until else now
        else:
            try:
                start, end = now - parse_duration(self.range), now
            except InvalidTime as error:
                raise OperatorError(f"Time range: {error}.") from None
        if not 0 <= start < end:
            raise OperatorError("The start of the time range must be before its end.")
        return start, end

    def resolve_interval(self, start: int, end: int) -> str:
        """The chosen interval, or a suitable one for the time range. Raises :class:`OperatorError`."""
        interval = self.interval or choose_interval(end - start).lower()
        if interval not in INTERVALS:
            raise OperatorError(f"Unknown interval '{interval}'. Valid intervals: {', '.join(INTERVALS)}.")
        count = (end - start) // INTERVALS[interval]
        if count > MAX_INTERVALS:
            raise OperatorError(
                f"The time range has {count:,} {interval}s; at most {MAX_INTERVALS:,} can be shown. Choose a longer "
                "interval or a shorter time range."
            )
        return interval

    def api_parameters(self) -> Query:
        """The parameters of the API request, except for meter, time range and interval."""
        parameters = {f"{_FILTER}{name}": list(values) for name, values in self.filters.items()}
        if self.groups:
            parameters["groupBy"] = list(self.groups)
        if self.tenants:
            parameters["tenantId"] = list(self.tenants)
        return parameters


def _parse_lines(params: QueryParams, name: str) -> tuple[str, ...]:
    """The values of a parameter that has one in each line, or is repeated. A comma may be part of a value."""
    lines = [line.strip() for text in params.getlist(name) for line in text.split("\n")]
    return tuple(line for line in lines if line)


def parse_seconds(field_name: str, text: str, now: int) -> int:
    """Parse the time in a form field to epoch seconds. It is in UTC unless it has another offset.

    Raises :class:`OperatorError`.
    """
    if not text:
        raise OperatorError(f"{field_name}: a time is required.")
    try:
        return parse_time(text, now, UTC).seconds
    except InvalidTime as error:
        raise OperatorError(f"{field_name}: {error}.") from None


def format_field(seconds: int) -> str:
    """Format epoch seconds as the value of a ``datetime-local`` field."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
