"""Amberflo's usage report, read: groups with a value for each interval."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from msgspec import Meta, Struct

from amberflo_workflows.operate.api_client import ApiClient
from amberflo_workflows.operate.errors import OperatorError

# Of these the sum of all groups means something; of a maximum, a level or a distinct count it does not.
ADDITIVE: Final = frozenset({"sum_of_all_usage", "event_duration"})
_FORMATS: Final = {"HOUR": "%Y-%m-%d %H:%M", "DAY": "%Y-%m-%d", "WEEK": "%Y-%m-%d", "MONTH": "%Y-%m"}
_DAY: Final = 86_400
# What a sum of many doubles may be wrong by.
_NOISE: Final = 2e-14
# Until the year 9999, as far as calendars go.
_Seconds = Annotated[int, Meta(ge=0, lt=253_402_300_800)]


class IntervalValue(Struct, rename={"begin": "secondsSinceEpochUtc"}):
    """What was used in the interval that begins at epoch seconds."""

    begin: _Seconds
    value: float


class GroupNames(Struct, rename="camel"):
    """What a group has in common: customer and dimensions."""

    group_info: dict[str, str | None] = {}


class Group(Struct, rename={"names": "group", "total": "groupValue"}):
    """One group; ``total`` is for the whole range, and the sum of its values only for what can be summed."""

    names: GroupNames | None = None
    total: float = 0.0
    values: list[IntervalValue] = []

    @property
    def labels(self) -> dict[str, str]:
        """What the group has in common: customer and dimensions."""
        return {key: value or "" for key, value in (self.names.group_info if self.names else {}).items()}

    @property
    def name(self) -> str:
        """The same in a few words; empty if all usage is in this group."""
        return ", ".join(value or "(none)" for value in self.labels.values())


class _Report(Struct, rename="camel"):
    client_meters: list[Group]


class MeterUsage(NamedTuple):
    """What was asked, and what came of it. Times are epoch seconds; ``interval`` is the API's word."""

    meter: dict[str, Any]
    start: int
    end: int
    interval: str
    groups: list[Group]

    def facts(self) -> dict[str, Any]:
        """As JSON tells it."""
        return {
            "meter": {member: self.meter.get(member) for member in ("id", "meterApiName", "meterType")},
            "startTimeInSeconds": self.start,
            "endTimeInSeconds": self.end,
            "timeGroupingInterval": self.interval,
            "groups": [
                {
                    "group": group.labels,
                    "total": group.total,
                    "values": [{"startTimeInSeconds": one.begin, "value": one.value} for one in group.values],
                }
                for group in self.groups
            ],
        }


def fetch_usage(
    client: ApiClient, meter: dict[str, Any], between: tuple[int, int], interval: str, query: Mapping[str, str | int]
) -> MeterUsage:
    """A meter's usage between epoch seconds; ``query`` is passed on to the API. Raises :class:`OperatorError`."""
    start, end = between
    asked = {
        "meterApiName": meter["meterApiName"],
        "startTimeInSeconds": start,
        "endTimeInSeconds": end,
        "timeGroupingInterval": interval,
        **query,
    }
    report = client.call("GET", "usage", meter["id"], query=asked)["data"]
    try:
        return MeterUsage(meter, start, end, interval, msgspec.convert(report, _Report).client_meters)
    except msgspec.ValidationError as error:
        raise OperatorError(f"The API answered with what is no usage report: {error}") from None


def choose_interval(seconds: int) -> str:
    """The interval that shows a range of so many seconds neither too coarse nor too fine."""
    return "HOUR" if seconds <= 2 * _DAY else "DAY" if seconds <= 100 * _DAY else "MONTH"


def format_interval(begin: int, interval: str) -> str:
    """The interval that begins at epoch seconds, in UTC."""
    return datetime.fromtimestamp(begin, UTC).strftime(_FORMATS[interval])


def format_time(seconds: int) -> str:
    """Epoch seconds, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def format_number(value: float) -> str:
    """A value as people write it; without the noise of binary fractions and of their sums."""
    short = f"{value:.12g}"
    return f"{value:,.12g}" if abs(float(short) - value) <= abs(value) * _NOISE else f"{value:,.15g}"
