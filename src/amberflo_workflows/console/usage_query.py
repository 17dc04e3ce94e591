"""What the address of the usage page asks for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from starlette.datastructures import QueryParams

from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.times import InvalidTime, parse_duration, parse_time
from amberflo_workflows.operate.usage_report import choose_interval

INTERVALS: Final = {"hour": 3600, "day": 86_400, "week": 604_800, "month": 2_419_200}
RANGES: Final = {"24h": "last 24 hours", "7d": "last 7 days", "30d": "last 30 days"}
BETWEEN: Final = "between"
DEFAULT_RANGE: Final = "7d"
# More can neither be drawn nor read; an answer of the API would not carry many groups of them either.
MOST_INTERVALS: Final = 3_000
_FILTER: Final = "filter."


@dataclass(frozen=True)
class UsageQuery:
    """What was chosen, as text; ``filters`` are by dimension, each with its values and commas between."""

    meter: str = ""
    tenant: str = ""
    interval: str = ""
    groups: tuple[str, ...] = ()
    filters: Mapping[str, str] = field(default_factory=dict)
    range: str = DEFAULT_RANGE
    since: str = ""
    until: str = ""

    @classmethod
    def of(cls, given: QueryParams) -> "UsageQuery":
        """From an address; what is empty was not chosen."""
        filters = {
            name.removeprefix(_FILTER): value.strip() for name, value in given.items() if name.startswith(_FILTER)
        }
        since, until = given.get("from", "").strip(), given.get("to", "").strip()
        return cls(
            meter=given.get("meter", ""),
            tenant=given.get("tenant", "").strip(),
            interval=given.get("interval", ""),
            groups=tuple(group for group in given.getlist("group") if group),
            filters={name: value for name, value in filters.items() if name and value},
            range=given.get("range") or (BETWEEN if since else DEFAULT_RANGE),
            since=since,
            until=until,
        )

    def between(self, now: int) -> tuple[int, int]:
        """Epoch seconds of the begin and the end. Raises :class:`OperatorError`."""
        if self.range == BETWEEN:
            start = seconds("From", self.since, now)
            end = seconds("To", self.until, now) if self.until else now
        else:
            try:
                start, end = now - parse_duration(self.range), now
            except InvalidTime as error:
                raise OperatorError(f"Range: {error}.") from None
        if not 0 <= start < end:
            raise OperatorError("The range must begin before it ends.")
        return start, end

    def chosen_interval(self, between: tuple[int, int]) -> str:
        """The one that was chosen, else one that suits the range. Raises :class:`OperatorError`."""
        start, end = between
        interval = self.interval or choose_interval(end - start).lower()
        if interval not in INTERVALS:
            raise OperatorError(f"There is no interval '{interval}'; there are {', '.join(INTERVALS)}.")
        count = (end - start) // INTERVALS[interval]
        if count > MOST_INTERVALS:
            raise OperatorError(
                f"That is {count:,} {interval}s, and {MOST_INTERVALS:,} can be shown: choose a longer interval or a "
                "shorter range."
            )
        return interval

    def parameters(self) -> dict[str, Any]:
        """What the API is asked for beside meter, range and interval."""
        asked = {f"{_FILTER}{name}": value for name, value in self.filters.items()}
        if self.groups:
            asked["groupBy"] = ",".join(self.groups)
        if self.tenant:
            asked["tenantId"] = self.tenant
        return asked


def seconds(name: str, text: str, now: int) -> int:
    """A time of a field in epoch seconds, UTC unless it says otherwise. Raises :class:`OperatorError`."""
    if not text:
        raise OperatorError(f"{name}: a time is missing.")
    try:
        return parse_time(text, now, UTC).seconds
    except InvalidTime as error:
        raise OperatorError(f"{name}: {error}.") from None


def field_of(at: int) -> str:
    """Epoch seconds as a browser's field for a time takes them."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S")
