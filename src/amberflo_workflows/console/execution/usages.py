"""The usages of an ingest execution, and what became of each."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from amberflo_workflows.core import reported_usage as tasks
from amberflo_workflows.core.reported_usage import build_rejected_usage
from amberflo_workflows.operate.executions.model import Execution

WORKFLOW: Final = "ingest_usage"


@dataclass(frozen=True)
class UsageRow:
    """A usage as it was reported; ``became`` is ``counted``, ``rejected`` with a ``reason``, or empty: not known.

    ``item`` is where a rejected one is kept.
    """

    identity: str
    tenant: str
    meter: str
    value: str
    at: str
    became: str
    reason: str
    item: str


def usages_of(execution: Execution) -> list[UsageRow]:
    """The usages in its input; none if it is no ingest, or its input is not known."""
    if execution.summary.workflow != WORKFLOW:
        return []
    reported = _member(_parsed(execution.input), "usages")
    answer = _member(_member(_parsed(execution.output), "body"), "data")
    counted = {str(one) for one in _listed(_member(answer, "uniqueIds"))}
    rejected = {str(_member(one, "uniqueId")): _member(one, "reason") for one in _listed(_member(answer, "rejected"))}
    return [_usage(one, counted, rejected) for one in _listed(reported)]


def _usage(reported: Any, counted: set[str], rejected: Mapping[str, Any]) -> UsageRow:
    usage = _member(reported, "usage")
    identity = _text(_member(usage, "uniqueId") or _member(reported, "eventId"))
    became = "rejected" if identity in rejected else "counted" if identity in counted else ""
    return UsageRow(
        identity=identity,
        tenant=_text(_member(usage, "tenantId")),
        meter=_text(_member(usage, "meterApiName")),
        value=_text(_member(usage, "meterValue")),
        at=_text(_member(usage, "meterTimeInMillis") or _member(reported, "eventTime")),
        became=became,
        reason=_text(rejected.get(identity)),
        item=_item_of(reported) if became == "rejected" else "",
    )


def _item_of(reported: Any) -> str:
    """The id in the rejected table, which the step that refused the usage made from it."""
    return build_rejected_usage(msgspec.convert(reported, tasks.ReportedUsage), 0, "")["id"]


def _parsed(text: str | None) -> Any:
    try:
        return json.loads(text or "null")
    except (ValueError, RecursionError):
        return None


def _member(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)
