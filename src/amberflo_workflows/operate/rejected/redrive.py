"""Redrive rejected usage: send it again through the same workflow, with its original identity and time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from amberflo_workflows.core.chunks import encode_usage, split_into_chunks
from amberflo_workflows.core.rejected_item import RejectedItem
from amberflo_workflows.core.reported_usage import ReportedUsage
from amberflo_workflows.entrypoints.workflows import InputTooLarge, run_workflow
from amberflo_workflows.operate.deployment import Deployment
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.rejected.table import RejectedTable
from amberflo_workflows.operate.workflow_start import start_with


@dataclass(frozen=True)
class RedriveResult:
    """The result of redriving an item: counted, or rejected again with a new reason."""

    item: RejectedItem

    @property
    def counted(self) -> bool:
        """Whether the item was counted."""
        return self.item.status == "redriven"


def redrive(deployment: Deployment, items: Sequence[RejectedItem]) -> Iterator[RedriveResult]:
    """Redrive items, in chunks, and yield the result of each.

    Raises :class:`OperatorError` if an execution fails; its items stay ``redriving`` and can be redriven again.
    """
    table = RejectedTable(deployment)
    for chunk in split_into_chunks(encode_usage(item, _build_reported_usage(item)) for item in items):
        claimed = [table.claim(usage.origin) for usage in chunk]
        # The response refers to a usage by its index, which is not part of its identity.
        usages = [msgspec.structs.replace(usage.reported, index=index) for index, usage in enumerate(chunk)]
        yield from _save_results(table, claimed, *_run_ingest_usage(deployment, usages))


def _build_reported_usage(item: RejectedItem) -> ReportedUsage:
    if item.is_event:
        raise OperatorError(f"{item.id} is an event, not a usage. Fix its sender and send the event again, or drop it.")
    return msgspec.structs.replace(msgspec.convert(item.original, ReportedUsage), rejected_id=item.id)


def _run_ingest_usage(deployment: Deployment, usages: list[ReportedUsage]) -> tuple[str, dict[int, str]]:
    """Run the workflow; return the execution's ARN, and the reason for each rejected usage by its index."""
    machine = deployment.state_machine_arns["ingest_usage"]
    try:
        execution = run_workflow(
            machine,
            {"callerWaits": True, "usages": usages},
            start_with(deployment.client("stepfunctions")),
            repeatable=True,
        )
    except InputTooLarge as error:
        raise OperatorError(str(error)) from None
    if execution.output is None or execution.output["statusCode"] != 200:
        reason = execution.cause or execution.output or execution.error
        raise OperatorError(f"ingest_usage failed: {reason} Fix it and redrive again. Execution {execution.arn}")
    rejected = execution.output["body"]["data"]["rejected"]
    return execution.arn, {usage["index"]: usage["reason"] for usage in rejected}


def _save_results(
    table: RejectedTable, claimed: list[RejectedItem], arn: str, reasons: dict[int, str]
) -> Iterator[RedriveResult]:
    for index, item in enumerate(claimed):
        if index in reasons:
            yield RedriveResult(table.mark_rejected(item, reasons[index], arn))
        else:
            yield RedriveResult(table.mark_redriven(item, arn))
