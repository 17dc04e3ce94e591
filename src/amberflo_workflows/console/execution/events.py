"""Events of a history as rows of a table."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from amberflo_workflows.operate.executions.error_causes import error_message
from amberflo_workflows.operate.executions.model import HistoryEvent

_LONGEST: Final = 200


@dataclass(frozen=True)
class EventRow:
    """An event, ``after`` so many seconds since the start; ``about`` and ``details`` may be cut."""

    id: int
    type: str
    at: datetime
    after: float
    about: str
    details: str
    is_bad: bool


def event_rows(events: Iterable[HistoryEvent], started: datetime) -> Iterator[EventRow]:
    """A row for each."""
    for event in events:
        error = event.details.get("error") or ""
        message = error_message(event.details.get("cause") or "")
        name = str(event.details.get("name") or "")
        about = ": ".join(part for part in (name or error, message) if part)
        rest = {key: value for key, value in event.details.items() if key not in {"name", "error", "cause"}}
        details = json.dumps(rest, default=str, ensure_ascii=False) if rest else ""
        after = (event.at - started).total_seconds()
        yield EventRow(event.id, event.type, event.at, after, _cut(about), _cut(details), bool(error))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
