"""Types of bodies and responses for which no step has a type; only the document uses them.

Responses of Amberflo are passed on unchanged, so only the members that a caller can rely on are required.
"""

from typing import Annotated, Any, TypedDict

from msgspec import UNSET, Meta, Struct, UnsetType

from amberflo_workflows.core.ledger.record_page import CountedRecord
from amberflo_workflows.core.response import FieldError
from amberflo_workflows.core.usage_record import MAX_METER_NAME_LENGTH, MAX_TEXT_LENGTH
from amberflo_workflows.entrypoints.ingest import MAX_USAGES_PER_CALL

Text = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT_LENGTH)]
Millis = Annotated[int, Meta(gt=0, description="Milliseconds since 1970.")]
Dimension = Annotated[str, Meta(max_length=MAX_TEXT_LENGTH)] | int | float | bool | None


class Usage(Struct, rename="camel", kw_only=True):
    """One usage. Any other member is a dimension, as if it were in `dimensions`."""

    tenant_id: Text | int
    meter_api_name: Annotated[str, Meta(min_length=1, max_length=MAX_METER_NAME_LENGTH)]
    meter_value: float
    unique_id: Annotated[
        Text | int | UnsetType | None,
        Meta(description="The ID under which the usage counts once. Default: a generated one."),
    ] = UNSET
    meter_time_in_millis: Annotated[
        Millis | UnsetType | None,
        Meta(description="Milliseconds since 1970, at most 60 days ago. Default: the time of the call."),
    ] = UNSET
    dimensions: dict[str, Dimension] | UnsetType | None = UNSET


class CountedUsage(Usage, kw_only=True):
    """A usage exactly as it was counted, with its ID and time."""

    unique_id: Text | int
    meter_time_in_millis: Millis


class Usages(Struct):
    """Usages to ingest."""

    records: Annotated[list[Usage], Meta(min_length=1, max_length=MAX_USAGES_PER_CALL)]


class Meter(Struct, rename="camel"):
    """A meter as Amberflo returns it. It may have more members."""

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
    """Meters, sorted by `meterApiName`. `next_token` gets the next page; it is null on the last page."""

    data: list[Meter]
    next_token: str | None


class Customer(Struct, rename="camel"):
    """A customer as Amberflo returns it. It may have more members."""

    customer_id: str
    customer_name: str | UnsetType | None = UNSET
    customer_email: str | UnsetType | None = UNSET
    lifecycle_stage: str | UnsetType | None = UNSET
    traits: dict[str, Any] | UnsetType | None = UNSET
    create_time: int | UnsetType | None = UNSET
    update_time: int | UnsetType | None = UNSET


class CustomerAnswer(Struct):
    """A customer."""

    data: Customer


class CustomerPage(Struct):
    """Customers, sorted by `customerId`. `next_token` gets the next page; it is null on the last page."""

    data: list[Customer]
    next_token: str | None


class AmberfloAnswer(Struct):
    """The response of Amberflo, unchanged."""

    data: dict[str, Any]


class UsageReport(Struct, rename="camel"):
    """The report of Amberflo. It may have more members."""

    client_meters: list[dict[str, Any]] | UnsetType = UNSET
    seconds_since_epoch_intervals: list[int] | UnsetType | None = UNSET
    metadata: dict[str, Any] | UnsetType = UNSET


class UsageAnswer(Struct):
    """A usage report."""

    data: UsageReport


class UsageReports(Struct):
    """A usage report of each meter, whose `metadata.meterApiName` names the meter."""

    data: list[UsageReport]


class RecordPage(Struct):
    """Records in the order of their times. `total` is the sum of the page's values without what was cancelled.

    `next_token` gets the next page; it is null on the last page.
    """

    data: list[CountedRecord]
    total: float
    next_token: str | None


class Cancelled(Struct):
    """The IDs of the usages whose cancellation was sent. `note` says that a match is not known."""

    cancelled: list[str]
    note: str


class CancelledAnswer(Struct):
    """The usages whose cancellation was sent one by one."""

    data: Cancelled


class NotCounted(Struct, rename="camel"):
    """A usage that is stored in the rejected table. `index` is its position in `records`."""

    index: int
    unique_id: str
    reason: str


class Ingested(Struct, rename="camel"):
    """The number of usages that Amberflo accepted, their IDs, and the rejected usages."""

    accepted: int
    unique_ids: list[str]
    rejected: list[NotCounted]


class IngestAnswer(Struct):
    """The result for the usages."""

    data: Ingested


class Problem(Struct, rename="camel"):
    """An error of the API."""

    status_code: int
    message: str
    details: list[FieldError] | UnsetType = UNSET


class GatewayProblem(TypedDict):
    """An error of API Gateway."""

    message: str | None
