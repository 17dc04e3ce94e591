"""What can go wrong during a rule."""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Any


class WorkerKilled(BaseException):
    """The process ends here, so nothing in it may catch this."""


class Kind(Enum):
    # Amberflo, or the way to it
    THROTTLED = auto()
    UNAVAILABLE = auto()
    RESPONSE_LOST = auto()
    COUNTED_THEN_503 = auto()
    METERS_UNREADABLE = auto()
    # The process of a step, at its request to Amberflo
    STEP_KILLED_BEFORE_SENDING = auto()
    STEP_KILLED_AFTER_SENDING = auto()
    # The process that starts an execution: the queue's function, the API's, or the operator's
    STARTER_KILLED_BEFORE_START = auto()
    STARTER_KILLED_AFTER_END = auto()
    # AWS
    START_THROTTLED = auto()
    TABLE_THROTTLED = auto()
    LEDGER_UNAVAILABLE = auto()
    SECRET_UNREADABLE = auto()
    # The process that has received messages, before it next sends or deletes one
    KILLED_AT_QUEUE = auto()


# The faults that the sandbox has itself.
_OF_SANDBOX: dict[Kind, dict[str, Any]] = {
    Kind.THROTTLED: {"kind": "status", "status": 429, "path": "/ingest"},
    Kind.UNAVAILABLE: {"kind": "status", "status": 503, "path": "/ingest"},
    Kind.RESPONSE_LOST: {"kind": "accept_then_drop", "path": "/ingest"},
    Kind.COUNTED_THEN_503: {"kind": "accept_then_status", "status": 503, "path": "/ingest"},
    Kind.METERS_UNREADABLE: {"kind": "status", "status": 503, "path": "/meters"},
}


@dataclass(frozen=True)
class Fault:
    """After ``skip`` calls that pass, the next call fails, or with ``always`` every further call."""

    kind: Kind
    skip: int = 0
    always: bool = False

    @property
    def of_sandbox(self) -> list[dict[str, Any]]:
        """The fault for the sandbox; none if it is not about Amberflo."""
        fault = _OF_SANDBOX.get(self.kind)
        times = {} if self.always else {"times": 1}
        return [{**fault, **times, "skip": self.skip}] if fault else []


@dataclass
class Strikes:
    """Counts the calls that an active fault may affect."""

    fault: Fault | None = None
    seen: int = 0

    def strikes(self, kind: Kind) -> bool:
        """Count a call, and return whether the fault affects it."""
        if self.fault is None or kind is not self.fault.kind:
            return False
        self.seen += 1
        return self.seen > self.fault.skip if self.fault.always else self.seen == self.fault.skip + 1
