"""Sizes of what goes through a state, and of a history, against the limits of AWS, which no engine checks."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from amberflo_workflows.local.system import System

MAX_PAYLOAD_BYTES: Final = 262_144
MAX_CAUSE_CHARACTERS: Final = 32_768
MAX_ERROR_CHARACTERS: Final = 256
# Of a standard workflow; an express one has no such limit.
MAX_EVENTS: Final = 25_000
# Where the events of a history have JSON that counts: states, tasks and executions.
_PAYLOADS: Final = ("input", "output", "parameters")


class Measured(NamedTuple):
    """How many executions were measured, and the bytes of their largest input or output."""

    executions: int
    max_bytes: int

    def __str__(self) -> str:
        return f"{self.executions:,} executions with inputs and outputs of up to {self.max_bytes:,} bytes"


def list_payload_bytes(events: Sequence[Any], *, escaped: bool = False) -> list[int]:
    """Bytes of each input and output in a history: in UTF-8, as AWS counts, or with all but ASCII ``escaped``.

    With blanks, as Lambda's runtime writes them. Its versions for Python 3.11 and older escape as well.
    """
    payloads = [details[name] for details in _list_details(events) for name in _PAYLOADS if details.get(name)]
    return [len(json.dumps(json.loads(payload), ensure_ascii=escaped).encode()) for payload in payloads]


def check_history(events: Sequence[Any]) -> int:
    """Check all sizes in a history of AWS's form. Returns the bytes of the largest input or output."""
    max_bytes = max(list_payload_bytes(events))
    assert max_bytes <= MAX_PAYLOAD_BYTES
    assert len(events) <= MAX_EVENTS
    for details in _list_details(events):
        assert len(details.get("cause") or "") <= MAX_CAUSE_CHARACTERS, details["cause"][:200]
        assert len(details.get("error") or "") <= MAX_ERROR_CHARACTERS, details["error"][:200]
    return max_bytes


def check_all_executions(system: System) -> Measured:
    """Check the history of every execution that the emulator has."""
    sizes = [check_history(fetch_history(system.client("stepfunctions"), arn)) for arn in _list_executions(system)]
    return Measured(len(sizes), max(sizes))


def fetch_history(client: Any, arn: str) -> list[Any]:
    paginator = client.get_paginator("get_execution_history")
    return list(paginator.paginate(executionArn=arn, PaginationConfig={"PageSize": 1000}).search("events[]"))


def _list_executions(system: System) -> Iterator[str]:
    paginator = system.client("stepfunctions").get_paginator("list_executions")
    for machine in system.state_machine_arns.values():
        # A running execution has no complete history yet.
        for page in paginator.paginate(stateMachineArn=machine):
            yield from (item["executionArn"] for item in page["executions"] if item["status"] != "RUNNING")


def _list_details(events: Sequence[Any]) -> Iterator[dict[str, Any]]:
    for event in events:
        yield from (value for name, value in event.items() if name.endswith("EventDetails") and value)
