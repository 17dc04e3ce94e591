"""The events that report usage, as EventBridge writes them."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tests.histories.ledger import Usage


@dataclass(frozen=True)
class Event:
    """An event with usages, at a time in epoch seconds. Its id and time are the identity of usages without one."""

    usages: list[Usage]
    seconds: int

    @property
    def identities(self) -> list[tuple[str, int]]:
        """The ``uniqueId`` and the time in milliseconds of each usage that has none of its own."""
        is_single = len(self.usages) == 1
        ids = [self._id if is_single else f"{self._id}:{index}" for index in range(len(self.usages))]
        return [(unique_id, self.seconds * 1000) for unique_id in ids]

    @property
    def body(self) -> str:
        """The text of the message in the queue."""
        bodies = [usage.body for usage in self.usages]
        detail: Any = bodies[0] if len(bodies) == 1 else {"records": bodies}
        event = {
            "version": "0",
            "id": self._id,
            "detail-type": "ingestUsage",
            "source": "applicationPlaneEventSource",
            "account": "000000000000",
            "time": datetime.fromtimestamp(self.seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": "us-east-1",
            "resources": [],
            "detail": detail,
        }
        return json.dumps(event)

    @property
    def _id(self) -> str:
        return f"event-of-{self.usages[0].name}"
