"""Types of bodies and responses for which no step has a type; only the document uses them.

Responses of Amberflo are passed on unchanged, so only the members that a caller can rely on are required.
"""

from typing import Annotated, Any, Literal, TypedDict

from msgspec import UNSET, Meta, Struct, UnsetType

from amberflo_workflows.core.ledger.comparison import ComparedHour
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


class Started(Struct):
    """An operation that was started."""

    id: str
    status: Literal["running"]


class StartedAnswer(Struct):
    """The ID with which to get the outcome."""

    data: Started


class Waiting(Struct):
    """Usage that is on neither side: rejected usage of the range, and all events in the queues."""

    rejected: int
    queued: int
    dead: int


class ReportLocation(Struct):
    """Where the complete report is."""

    bucket: str
    prefix: str


class ReconciliationResult(Struct, rename="camel"):
    """The outcomes by number of hours of a meter and a tenant, and the hours that differ. It may have more members."""

    start_time_in_seconds: int
    end_time_in_seconds: int
    outcomes: dict[str, int]
    has_drift: bool
    differences: list[ComparedHour]
    differences_omitted: int
    meters_without_sum: list[str]
    waiting: Waiting
    report: ReportLocation


class Reconciliation(Struct):
    """A reconciliation."""

    id: str
    status: Literal["running", "succeeded", "failed"]
    result: ReconciliationResult | UnsetType = UNSET
    error: str | UnsetType = UNSET


class ReconciliationAnswer(Struct):
    """A reconciliation, with its result if it succeeded."""

    data: Reconciliation


class ReplayResult(Struct, rename="camel"):
    """The usages that Amberflo accepted (of a dry run: those to send), and those that it rejected.

    Usage that is cancelled or older than 60 days is not sent.
    """

    sent: int
    rejected: int
    cancelled: int
    too_old: int
    slices: int
    dry_run: bool


class Replay(Struct):
    """A replay."""

    id: str
    status: Literal["running", "succeeded", "failed"]
    result: ReplayResult | UnsetType = UNSET
    error: str | UnsetType = UNSET


class ReplayAnswer(Struct):
    """A replay, with its result if it succeeded."""

    data: Replay


class PeriodReason(Struct):
    """Why a period is not ready; `count` is a number of hours, usages or events."""

    code: Literal["notReconciled", "notOver", "drift", "tooFresh", "rejected", "dead", "queued"]
    count: int
    message: str


class PeriodResult(Struct, rename="camel"):
    """Whether a period is ready. It may have more members."""

    start_time_in_seconds: int
    end_time_in_seconds: int
    is_ready: bool
    reasons: list[PeriodReason]
    reconciliation: str
    report: ReportLocation | None


class ClosedPeriod(Struct):
    """The check of a period."""

    id: str
    status: Literal["running", "succeeded", "failed"]
    result: PeriodResult | UnsetType = UNSET
    error: str | UnsetType = UNSET


class PeriodAnswer(Struct):
    """The check of a period, with its result if it succeeded."""

    data: ClosedPeriod


class Problem(Struct, rename="camel"):
    """An error of the API."""

    status_code: int
    message: str
    details: list[FieldError] | UnsetType = UNSET


class GatewayProblem(TypedDict):
    """An error of API Gateway."""

    message: str | None
