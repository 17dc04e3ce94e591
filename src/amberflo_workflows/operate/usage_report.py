"""Read Amberflo's usage report: groups with a value for each interval."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from msgspec import Meta, Struct

from amberflo_workflows.operate.api_client import ApiClient, Query
from amberflo_workflows.operate.errors import OperatorError

_FORMATS: Final = {"HOUR": "%Y-%m-%d %H:%M", "DAY": "%Y-%m-%d", "WEEK": "%Y-%m-%d", "MONTH": "%Y-%m"}
_DAY: Final = 86_400
# The relative error of a sum of many doubles.
_NOISE: Final = 2e-14
_MIN_PLAIN: Final = 1e-12
_MAX_PLAIN: Final = 1e21
# Up to the year 9999, the last one of `datetime`.
_Seconds = Annotated[int, Meta(ge=0, lt=253_402_300_800)]


class IntervalValue(Struct, rename={"begin": "secondsSinceEpochUtc"}):
    """The usage in the interval that starts at ``begin``, in epoch seconds."""

    begin: _Seconds
    value: float


class GroupNames(Struct, rename="camel"):
    """The customer and the dimensions that a group's usage has in common."""

    group_info: dict[str, str | None] = {}


class Group(Struct, rename={"names": "group", "total": "groupValue"}):
    """A group; ``total`` is for the complete range, which is the sum of its values for additive meters only."""

    names: GroupNames | None = None
    total: float = 0.0
    values: list[IntervalValue] = []

    @property
    def labels(self) -> dict[str, str]:
        """What the group has in common: customer and dimensions."""
        return {key: value or "" for key, value in (self.names.group_info if self.names else {}).items()}

    @property
    def name(self) -> str:
        """The values of the labels, in one line; empty if all usage is in this group."""
        return ", ".join(value or "(none)" for value in self.labels.values())


class _Report(Struct, rename="camel"):
    client_meters: list[Group]


class _Metadata(Struct, rename="camel"):
    meter_api_name: str


class _NamedReport(_Report, rename="camel"):
    metadata: _Metadata


class MeterUsage(NamedTuple):
    """Usage of a meter in a range. Times are epoch seconds; ``interval`` is the API's ``timeGroupingInterval``."""

    meter: dict[str, Any]
    start: int
    end: int
    interval: str
    groups: list[Group]

    @property
    def total(self) -> float:
        """The total of all groups."""
        return sum(group.total for group in self.groups)

    @property
    def columns(self) -> list[str]:
        """The columns of :meth:`iterate_rows`."""
        keys = list(self.groups[0].labels) if self.groups else []
        return [*keys, "startTime", "startTimeInSeconds", "value"]

    def iterate_rows(self) -> Iterator[dict[str, Any]]:
        """Yield a row for each interval of each group, for CSV."""
        for group in self.groups:
            for item in group.values:
                time = datetime.fromtimestamp(item.begin, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
                yield {**group.labels, "startTime": time, "startTimeInSeconds": item.begin, "value": item.value}

    def to_json(self) -> dict[str, Any]:
        """Return the usage as an object for JSON."""
        return {
            "meter": {member: self.meter.get(member) for member in ("id", "meterApiName", "meterType")},
            "startTimeInSeconds": self.start,
            "endTimeInSeconds": self.end,
            "timeGroupingInterval": self.interval,
            "groups": [
                {
                    "group": group.labels,
                    "total": group.total,
                    "values": [{"startTimeInSeconds": value.begin, "value": value.value} for value in group.values],
                }
                for group in self.groups
            ],
        }


def fetch_usage(
    client: ApiClient, meter: dict[str, Any], time_range: tuple[int, int], interval: str, query: Query
) -> MeterUsage:
    """Fetch a meter's usage between epoch seconds; ``query`` is passed to the API. Raises :class:`OperatorError`."""
    start, end = time_range
    parameters = {
        "meterApiName": meter["meterApiName"],
        "startTimeInSeconds": start,
        "endTimeInSeconds": end,
        "timeGroupingInterval": interval,
        **query,
    }
    report = client.call("GET", "usage", meter["id"], query=parameters)["data"]
    try:
        return MeterUsage(meter, start, end, interval, msgspec.convert(report, _Report).client_meters)
    except msgspec.ValidationError as error:
        raise OperatorError(f"The API's response is not a usage report: {error}") from None


def fetch_all_usage(
    client: ApiClient, meters: Sequence[dict[str, Any]], time_range: tuple[int, int], interval: str, query: Query
) -> list[MeterUsage]:
    """Fetch the usage of all meters between epoch seconds in one call, sorted by the meters' names.

    ``query`` is passed to the API. A meter that is not in ``meters`` has only its name. Raises :class:`OperatorError`.
    """
    start, end = time_range
    parameters = {
        "startTimeInSeconds": start,
        "endTimeInSeconds": end,
        "timeGroupingInterval": interval,
        **query,
    }
    response = client.call("GET", "usage", query=parameters)["data"]
    by_name = {meter["meterApiName"]: meter for meter in meters}
    try:
        reports = msgspec.convert(response, list[_NamedReport])
    except msgspec.ValidationError as error:
        raise OperatorError(f"The API's response is not a list of usage reports: {error}") from None
    usages = []
    for report in sorted(reports, key=lambda report: report.metadata.meter_api_name):
        name = report.metadata.meter_api_name
        meter = by_name.get(name, {"meterApiName": name})
        usages.append(MeterUsage(meter, start, end, interval, report.client_meters))
    return usages


def choose_interval(seconds: int) -> str:
    """Return an interval that divides a range of this length into a readable number of parts."""
    return "HOUR" if seconds <= 2 * _DAY else "DAY" if seconds <= 100 * _DAY else "MONTH"


def format_interval(begin: int, interval: str) -> str:
    """Format the start of an interval, in epoch seconds, as UTC."""
    return datetime.fromtimestamp(begin, UTC).strftime(_FORMATS[interval])


def format_time(seconds: int) -> str:
    """Format epoch seconds as UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def format_number(value: float) -> str:
    """Format a value with all its digits, but without the rounding errors of binary fractions and their sums.

    Only numbers that no bill has, from 10²¹ and below 10⁻¹², are in scientific notation.
    """
    if value and not _MIN_PLAIN <= abs(value) < _MAX_PLAIN:
        return f"{value:.12g}"
    if value == int(value):
        return f"{int(value):,}"
    short = f"{value:.12g}"
    return f"{Decimal(short if abs(float(short) - value) <= abs(value) * _NOISE else f'{value:.15g}'):,f}"
