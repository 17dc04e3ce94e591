"""What the document says about each operation except its route, by the operation's name."""

from typing import Any, Final, NamedTuple

from amberflo_workflows.core.ledger.periods import Month, Period
from amberflo_workflows.core.ledger.replay_request import ReplayRange, ReplayReconciliation
from amberflo_workflows.core.ledger.requests import ReconciliationRequest
from amberflo_workflows.core.meter import MeterFields, NewMeter
from amberflo_workflows.tasks.cancel_usage import CancelRecords, FilteringRule
from tools.openapi import operation_schemas, schemas
from tools.openapi.parameters import (
    FETCH_USAGE,
    IDEMPOTENCY_KEY,
    LIST_CUSTOMERS,
    LIST_METERS,
    LIST_RECORDS,
    LIST_USAGE,
    Parameter,
)


class Call(NamedTuple):
    """A call: its summary, its successful responses, the error statuses that not all calls have, and what it takes.

    If there are several bodies or responses, a call has one of them.
    """

    summary: str
    responses: tuple[type, ...]
    problems: tuple[int, ...]
    description: str
    status: int = 200
    bodies: tuple[type, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    # Operations that take the ID of the meter in the response.
    links: tuple[str, ...] = ()

    @property
    def types(self) -> tuple[Any, ...]:
        """The types of all responses and bodies."""
        return (*self.responses, *self.bodies)


CALLS: Final = {
    "create_meter": Call(
        summary="Create a meter.",
        responses=(schemas.MeterAnswer,),
        problems=(400, 409),
        description="A meter of type `active_users` requires `aggregationDimensions`. 409: the name or label is taken.",
        status=201,
        bodies=(NewMeter,),
        links=("get_meter", "update_meter", "delete_meter", "fetch_usage"),
    ),
    "list_meters": Call(
        summary="List meters.",
        responses=(schemas.MeterPage,),
        problems=(400,),
        description="Sorted by `meterApiName`. A page has as many meters as fit into a response, at most `limit`. "
        "Get the next page with `next_token` until it is null.",
        parameters=LIST_METERS,
    ),
    "get_meter": Call(
        summary="Read a meter.",
        responses=(schemas.MeterAnswer,),
        problems=(400, 404),
        description="The meter as Amberflo returns it.",
    ),
    "update_meter": Call(
        summary="Change a meter.",
        responses=(schemas.MeterAnswer,),
        problems=(400, 404, 409),
        description="Changes only the fields in the body. 409: the meter is locked, the name or label is taken, or "
        "other calls are changing the meter (repeat the call).",
        bodies=(MeterFields,),
    ),
    "delete_meter": Call(
        summary="Delete a meter.",
        responses=(schemas.AmberfloAnswer,),
        problems=(400, 404, 409),
        description="Deprecates the meter first, because Amberflo deletes only deprecated meters. Its usage stays. "
        "409: the meter is locked, or other calls are changing it (repeat the call).",
    ),
    "list_customers": Call(
        summary="List customers.",
        responses=(schemas.CustomerPage,),
        problems=(400,),
        description="Amberflo's customers, which tenants become when they are onboarded, sorted by `customerId`. "
        "`search` selects those whose id, name or email contains it. A page has as many customers as fit into a "
        "response, at most `limit`. Get the next page with `next_token` until it is null.",
        parameters=LIST_CUSTOMERS,
    ),
    "get_customer": Call(
        summary="Read a customer.",
        responses=(schemas.CustomerAnswer,),
        problems=(400, 404),
        description="The customer as Amberflo returns it.",
    ),
    "list_usage": Call(
        summary="Fetch the usage of all meters.",
        responses=(schemas.UsageReports,),
        problems=(400,),
        description="One query of Amberflo for all meters, of at most 1,000 intervals. Amberflo extends the range to "
        "complete intervals in UTC. New usage appears after a delay.",
        parameters=LIST_USAGE,
    ),
    "fetch_usage": Call(
        summary="Fetch the usage of a meter.",
        responses=(schemas.UsageAnswer,),
        problems=(400, 404),
        description="Amberflo extends the range to complete intervals in UTC. New usage appears after a delay.",
        parameters=FETCH_USAGE,
    ),
    "list_records": Call(
        summary="List the records behind usage.",
        responses=(schemas.RecordPage,),
        problems=(400, 404, 409),
        description="What the ledger has of a tenant's usage of a meter, in the order of its time: each record once, "
        "with the event and the execution that it came with, also if it was cancelled. A page may have fewer records "
        "than `limit`, or none: get the next page with `next_token` until it is null. 409: too many receipts are not "
        "sorted; start a reconciliation.",
        parameters=LIST_RECORDS,
    ),
    "cancel_usage": Call(
        summary="Cancel usage.",
        responses=(schemas.AmberfloAnswer, schemas.CancelledAnswer),
        problems=(400, 404),
        description="With a filtering rule: the usage of **all tenants** that Amberflo *ingested* for the meter in the "
        "range no longer counts. A rule with the same `id` replaces it. A range that ends in the future requires "
        "`allowFuture`, because it also cancels usage to come. 404: no meter has the name. With `records`: single "
        "usages, each exactly as it was counted.",
        bodies=(FilteringRule, CancelRecords),
    ),
    "ingest_usage": Call(
        summary="Count usage before the response is returned; usage events go through the queue instead.",
        responses=(schemas.IngestAnswer,),
        problems=(400, 409),
        description="Returns when Amberflo has accepted the usages. An invalid usage, or one under a meter that does "
        "not exist, does not fail the call: it is in `rejected` and is stored in the rejected table, and the others "
        "are counted. 409: the `Idempotency-Key` was used with a different body.",
        bodies=(schemas.Usage, schemas.Usages),
        parameters=(IDEMPOTENCY_KEY,),
    ),
    "reconcile_usage": Call(
        summary="Compare the ledger with Amberflo.",
        responses=(operation_schemas.StartedAnswer,),
        problems=(400,),
        description="Starts the comparison of full hours and does not wait for it. Get its outcome with its `id`. With "
        "`lateUsage`, all hours of usage that was counted or cancelled in the range are compared, too. A difference is "
        "too fresh to tell for `lagSeconds` (default: a setting of the deployment) after the hour or its last change.",
        status=202,
        bodies=(ReconciliationRequest,),
        links=("reconcile_usage_status",),
    ),
    "replay_usage": Call(
        summary="Send usage of the ledger to Amberflo again.",
        responses=(operation_schemas.StartedAnswer,),
        problems=(400,),
        description="Starts to send the usage of a range, or of the hours that the report of a reconciliation calls "
        "missing, and does not wait for it. Get its outcome with its `id`. What Amberflo has already counts once. With "
        "`dryRun`, the usage is only counted.",
        status=202,
        bodies=(ReplayRange, ReplayReconciliation),
        links=("replay_usage_status",),
    ),
    "replay_usage_status": Call(
        summary="Read the outcome of a replay.",
        responses=(operation_schemas.ReplayAnswer,),
        problems=(400, 404),
        description="`status` is `running`, `succeeded` with a `result`, or `failed` with an `error`. Step Functions "
        "keeps it for 90 days.",
    ),
    "reconcile_usage_status": Call(
        summary="Read the outcome of a reconciliation.",
        responses=(operation_schemas.ReconciliationAnswer,),
        problems=(400, 404),
        description="`status` is `running`, `succeeded` with a `result`, or `failed` with an `error`. Step Functions "
        "keeps it for 90 days, and the ledger the complete report.",
    ),
    "close_period": Call(
        summary="Tell whether a billing period is ready to be invoiced.",
        responses=(operation_schemas.StartedAnswer,),
        problems=(400,),
        description="Starts a reconciliation of the period, which is a month in UTC or a range of full hours, and "
        "does not wait for it. Get the outcome with its `id`.",
        status=202,
        bodies=(Month, Period),
        links=("close_period_status",),
    ),
    "close_period_status": Call(
        summary="Read whether a billing period is ready to be invoiced.",
        responses=(operation_schemas.PeriodAnswer,),
        problems=(400, 404),
        description="A period is ready if the reconciliation agrees, no usage of it was rejected, no event is dead, "
        "and none from before its end is in the queue. Otherwise `reasons` say why not.",
    ),
}
