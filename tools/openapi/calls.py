"""What the document says of each operation beside its route, by the operation's name."""

from typing import Any, Final, NamedTuple

from amberflo_workflows.core.meter import MeterFields, NewMeter
from amberflo_workflows.tasks.cancel_usage import CancelRecords, FilteringRule
from tools.openapi import shapes
from tools.openapi.parameters import FETCH_USAGE, IDEMPOTENCY_KEY, LIST_METERS, Parameter


class Call(NamedTuple):
    """A call: its successful answers, the errors of its own, what it takes. Of several bodies or answers, one."""

    answers: tuple[type, ...]
    problems: tuple[int, ...]
    description: str
    status: int = 200
    bodies: tuple[type, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    # Operations that take the id of the meter in the answer.
    links: tuple[str, ...] = ()

    @property
    def types(self) -> tuple[Any, ...]:
        """All types that it is described by."""
        return (*self.answers, *self.bodies)


CALLS: Final = {
    "create_meter": Call(
        answers=(shapes.MeterAnswer,),
        problems=(400, 409),
        description="A meter of type `active_users` needs `aggregationDimensions`. 409: its name or label is taken.",
        status=201,
        bodies=(NewMeter,),
        links=("get_meter", "update_meter", "delete_meter", "fetch_usage"),
    ),
    "list_meters": Call(
        answers=(shapes.MeterPage,),
        problems=(400,),
        description="Sorted by `meterApiName`. Without `limit` a page holds as many as an answer can carry.",
        parameters=LIST_METERS,
    ),
    "get_meter": Call(answers=(shapes.MeterAnswer,), problems=(400, 404), description="As Amberflo has it."),
    "update_meter": Call(
        answers=(shapes.MeterAnswer,),
        problems=(400, 404, 409),
        description="Changes the fields that are given and leaves the others. 409: the meter's lock forbids it, or the "
        "name or label is taken.",
        bodies=(MeterFields,),
    ),
    "delete_meter": Call(
        answers=(shapes.AmberfloAnswer,),
        problems=(400, 404, 409),
        description="Deprecates the meter first, since Amberflo deletes no other. Its usage stays.",
    ),
    "fetch_usage": Call(
        answers=(shapes.UsageAnswer,),
        problems=(400, 404),
        description="Amberflo widens the range to whole intervals, in UTC, and needs a while before new usage shows.",
        parameters=FETCH_USAGE,
    ),
    "cancel_usage": Call(
        answers=(shapes.AmberfloAnswer, shapes.CancelledAnswer),
        problems=(400,),
        description="By a rule: **all tenants'** usage of the meter that was *taken in* during the range no longer "
        "counts; the same `id` again replaces the rule. Or single usages, each exactly as it was counted.",
        bodies=(FilteringRule, CancelRecords),
    ),
    "ingest_usage": Call(
        answers=(shapes.IngestAnswer,),
        problems=(400, 409),
        description="Answers when Amberflo has taken them. A usage that is wrong is no error of the call: it is named "
        "in `rejected` and kept in the rejected table, and the rest is counted. 409: the `Idempotency-Key` came with "
        "another body before.",
        bodies=(shapes.Usage, shapes.Usages),
        parameters=(IDEMPOTENCY_KEY,),
    ),
}
