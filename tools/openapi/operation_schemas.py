"""Responses of the operations that the API starts and does not wait for, as types."""

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from amberflo_workflows.core.ledger.comparison import ComparedHour


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
