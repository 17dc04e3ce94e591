"""The payload of a task: as the history has it, else computed from the definition, as far as its paths are plain."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from amberflo_workflows.operate.executions.graph import Node
from amberflo_workflows.operate.executions.model import Execution, StateRun

# A path with a filter or a wildcard, or an intrinsic function, is not computed.
_PLAIN_PATH: Final = re.compile(r"\$?\$(\.[A-Za-z_]\w*)*")


@dataclass(frozen=True)
class Payload:
    """What one attempt passed to the task; ``is_recorded`` if the history has it."""

    text: str
    is_recorded: bool


class _NotComputable(Exception):
    """The definition has a path that is not plain, or that leads nowhere."""


def build_payloads(execution: Execution, node: Node, run: StateRun) -> Sequence[Payload | None]:
    """Build the payload of each attempt of a task's state; ``None`` if it is not known."""
    return [
        Payload(attempt.payload, is_recorded=True)
        if attempt.payload is not None
        else _compute(execution, node, run, retry_count)
        for retry_count, attempt in enumerate(run.tries)
    ]


def _compute(execution: Execution, node: Node, run: StateRun, retry_count: int) -> Payload | None:
    if node.kind != "Task" or run.input is None or execution.input is None:
        return None
    summary = execution.summary
    try:
        context = {
            "Execution": {
                "Id": summary.arn,
                "Name": summary.name,
                "Input": json.loads(execution.input),
                "StartTime": _format_time(summary.started.isoformat(timespec="milliseconds")),
            },
            "State": {
                "Name": run.name,
                "EnteredTime": _format_time(run.entered.isoformat(timespec="milliseconds")),
                "RetryCount": retry_count,
            },
        }
        data = _resolve(node.input_path, json.loads(run.input), context)
        filled = data if node.parameters is None else _fill(node.parameters, data, context)
    except (ValueError, RecursionError, _NotComputable):
        return None
    return Payload(json.dumps(filled, ensure_ascii=False), is_recorded=False)


def _fill(template: Any, data: Any, context: Mapping[str, Any]) -> Any:
    """Return the parameters of a state with the values of their paths."""
    if isinstance(template, dict):
        return {
            name.removesuffix(".$"): _resolve(value, data, context)
            if name.endswith(".$")
            else _fill(value, data, context)
            for name, value in template.items()
        }
    return [_fill(item, data, context) for item in template] if isinstance(template, list) else template


def _resolve(path: str, data: Any, context: Mapping[str, Any]) -> Any:
    if not _PLAIN_PATH.fullmatch(path):
        raise _NotComputable
    value: Any = context if path.startswith("$$") else data
    for name in path.split(".")[1:]:
        if not isinstance(value, Mapping) or name not in value:
            raise _NotComputable
        value = value[name]
    return value


def _format_time(iso: str) -> str:
    return iso.replace("+00:00", "Z")
