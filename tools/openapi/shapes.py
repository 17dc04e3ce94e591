"""What calls take and answer where no step has a type for it; nothing but the document is made of these.

What Amberflo says is passed on as it is, so of that only what a caller may count on is required.
"""

from typing import Annotated, Any, TypedDict

from msgspec import UNSET, Meta, Struct, UnsetType

from amberflo_workflows.core.response import FieldError
from amberflo_workflows.core.usage_record import MAX_METER_NAME_LENGTH, MAX_TEXT_LENGTH
from amberflo_workflows.entrypoints.ingest import MAX_USAGES_PER_CALL

Text = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT_LENGTH)]
Millis = Annotated[int, Meta(gt=0, description="Milliseconds since 1970.")]
Dimension = Annotated[str, Meta(max_length=MAX_TEXT_LENGTH)] | int | float | bool | None


class Usage(Struct, rename="camel", kw_only=True):
    """One usage. Any other member is a dimension, as if it stood in `dimensions`."""

    tenant_id: Text | int
    meter_api_name: Annotated[str, Meta(min_length=1, max_length=MAX_METER_NAME_LENGTH)]
    meter_value: float
    unique_id: Annotated[
        Text | int | UnsetType | None, Meta(description="The identity under which it counts once, else one is given.")
    ] = UNSET
    meter_time_in_millis: Annotated[
        Millis | UnsetType | None,
        Meta(description="Milliseconds since 1970, at most 60 days ago; else those of the call."),
    ] = UNSET
    dimensions: dict[str, Dimension] | UnsetType | None = UNSET


class CountedUsage(Usage, kw_only=True):
    """A usage exactly as it was counted, identity and time included."""

    unique_id: Text | int
    meter_time_in_millis: Millis


class Usages(Struct):
    """Many usages."""

    records: Annotated[list[Usage], Meta(min_length=1, max_length=MAX_USAGES_PER_CALL)]


class Meter(Struct, rename="camel"):
    """A meter as Amberflo has it; it may have more members than these."""

    id: str
    label: str
    meter_api_name: str
    meter_type: str
    locking_status: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET
    dimensions: list[str] | UnsetType | None = UNSET
    aggregation_dimensions: list[str] | UnsetType | None = UNSET
    create_time: int | UnsetType | None = UNSET
    update_time: int | UnsetType | None = UNSET


class MeterAnswer(Struct):
    """A meter."""

    data: Meter


class MeterPage(Struct):
    """Meters, sorted by `meterApiName`; `next_token` asks for those after them, and is null on the last page."""

    data: list[Meter]
    next_token: str | None


class AmberfloAnswer(Struct):
    """What Amberflo says, as it is."""

    data: dict[str, Any]


class UsageReport(Struct, rename="camel"):
    """Amberflo's report; it may have more members than these."""

    client_meters: list[dict[str, Any]] | UnsetType = UNSET
    seconds_since_epoch_intervals: list[int] | UnsetType | None = UNSET
    metadata: dict[str, Any] | UnsetType = UNSET


class UsageAnswer(Struct):
    """How much was used."""

    data: UsageReport


class Cancelled(Struct):
    """The identities of the usages that no longer count."""

    cancelled: list[str]


class CancelledAnswer(Struct):
    """What was cancelled one by one."""

    data: Cancelled


class NotCounted(Struct, rename="camel"):
    """A usage that is kept in the rejected table; `index` is its place in `records`."""

    index: int
    unique_id: str
    reason: str


class Ingested(Struct, rename="camel"):
    """How many usages Amberflo took, their identities, and those that do not count."""

    accepted: int
    unique_ids: list[str]
    rejected: list[NotCounted]


class IngestAnswer(Struct):
    """What became of the usages."""

    data: Ingested


class Problem(Struct, rename="camel"):
    """The one shape of errors."""

    status_code: int
    message: str
    details: list[FieldError] | UnsetType = UNSET


class GatewayProblem(TypedDict):
    """What API Gateway says by itself."""

    message: str | None
