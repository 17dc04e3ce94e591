"""Send refused usage again, through the same workflow, under the identity and time that it had."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from amberflo_workflows.core.chunks import split_into_chunks
from amberflo_workflows.core.rejected_item import RejectedItem
from amberflo_workflows.core.reported_usage import ReportedUsage
from amberflo_workflows.entrypoints.workflows import InputTooLarge, run_workflow
from amberflo_workflows.operate.deployment import Deployment
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.rejected.table import RejectedTable


@dataclass(frozen=True)
class Redriven:
    """What became of an item: counted, or refused again with a new reason."""

    item: RejectedItem

    @property
    def counted(self) -> bool:
        """Whether it counts now."""
        return self.item.status == "redriven"


def redrive(deployment: Deployment, items: Sequence[RejectedItem]) -> Iterator[Redriven]:
    """Send items, many in a request, and tell of each as it is settled.

    Raises :class:`OperatorError` when a workflow fails; its items are ``redriving`` then, and can be sent again.
    """
    table = RejectedTable(deployment)
    pairs = ((item, _reported(item)) for item in items)
    for chunk in split_into_chunks(pairs):
        claimed = [table.claim(item) for item, _ in chunk]
        # The index tells which is which in the answer; the identity of the record does not hang on it.
        usages = [msgspec.structs.replace(usage, index=place) for place, (_, usage) in enumerate(chunk)]
        yield from _settled(table, claimed, *_sent(deployment, usages))


def _reported(item: RejectedItem) -> ReportedUsage:
    if item.is_event:
        raise OperatorError(f"{item.id} is an event, no usage: mend what sent it, and have it sent again; or drop it.")
    return msgspec.structs.replace(msgspec.convert(item.original, ReportedUsage), rejected_id=item.id)


def _sent(deployment: Deployment, usages: list[ReportedUsage]) -> tuple[str, dict[int, str]]:
    """The execution's ARN, and the reason of each usage that was refused, by its place."""
    machine = deployment.state_machine_arns["ingest_usage"]
    try:
        finished = run_workflow(machine, {"callerWaits": True, "usages": usages}, deployment.client("stepfunctions"))
    except InputTooLarge as error:
        raise OperatorError(str(error)) from None
    if finished.output is None or finished.output["statusCode"] != 200:
        why = finished.cause or finished.output or finished.error
        raise OperatorError(f"ingest_usage failed: {why} Redrive again when that is mended; execution {finished.arn}")
    refused = finished.output["body"]["data"]["rejected"]
    return finished.arn, {one["index"]: one["reason"] for one in refused}


def _settled(
    table: RejectedTable, claimed: list[RejectedItem], arn: str, refused: dict[int, str]
) -> Iterator[Redriven]:
    for place, item in enumerate(claimed):
        if place in refused:
            yield Redriven(table.settle_refused(item, refused[place], arn))
        else:
            yield Redriven(table.settle_counted(item, arn))
