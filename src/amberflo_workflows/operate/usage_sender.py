"""Usages of a file, a stream or a JSON text, judged and put on the event bus with the emitter."""

import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from amberflo_workflows.core.chunks import extract_usages
from amberflo_workflows.core.reported_usage import ReportedUsage
from amberflo_workflows.core.usage_file import InvalidFile
from amberflo_workflows.core.usage_record import build_record, check_countable
from amberflo_workflows.emit import UsageEmitter
from amberflo_workflows.emit.errors import code_of

# A file can wait until there is room in the emitter's buffer.
_MAX_WAIT_SECONDS: Final = 86_400.0
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TOLD_EVERY: Final = 1000


@dataclass
class SendReport:
    """What became of usages: how many are on the bus, which were refused, which were given up.

    ``error`` is AWS's code for the latest that was given up; ``stopped`` why the rest of a file was not read.
    """

    sent: int = 0
    refused: list[dict[str, str]] = field(default_factory=list)
    not_sent: list[dict[str, Any]] = field(default_factory=list)
    error: str | None = None
    stopped: str | None = None

    @property
    def is_good(self) -> bool:
        """Whether all are on the bus."""
        return not (self.refused or self.not_sent or self.stopped)


def detail_usages(detail: Any) -> list[ReportedUsage]:
    """The usages of an event's detail, a new event each time. Raises ``RecursionError`` for what is nested too deep."""
    return extract_usages(detail, event_id=str(uuid.uuid4()), event_time="")


def send_usages(
    usages: Iterable[ReportedUsage], client: Any, bus: str, source: str, tell: Callable[[int], None]
) -> SendReport:
    """Put usages on the bus; ``tell`` hears now and then how many were read."""
    outcome = SendReport()

    def give_up(given_up: list[dict[str, Any]], error: Exception) -> None:
        outcome.not_sent += given_up
        outcome.error = code_of(error)

    with UsageEmitter(bus, source, client=client, max_wait=_MAX_WAIT_SECONDS, on_failure=give_up) as emitter:
        recorded = sum(_recorded(usages, emitter, outcome, tell))
        emitter.flush()
    outcome.sent = recorded - len(outcome.not_sent)
    return outcome


def _recorded(
    usages: Iterable[ReportedUsage], emitter: UsageEmitter, outcome: SendReport, tell: Callable[[int], None]
) -> Iterator[bool]:
    try:
        for number, reported in enumerate(usages, 1):
            try:
                _record(reported, emitter)
                yield True
            except ValueError as refusal:
                outcome.refused.append({"id": reported.event_id, "reason": str(refusal)})
            if number % _TOLD_EVERY == 0:
                tell(number)
    except InvalidFile as error:
        outcome.stopped = str(error)


def _record(reported: ReportedUsage, emitter: UsageEmitter) -> None:
    """Judge a usage as the workflow would, and hand it to the emitter. Raises ``ValueError``."""
    now = datetime.now(UTC)
    record = build_record(reported.usage, event_id=reported.event_id, event_time=reported.event_time or now.isoformat())
    check_countable(record, now_in_millis=int(now.timestamp() * 1000))
    emitter.record(
        record.customer_id,
        record.meter_api_name,
        record.meter_value,
        time=_EPOCH + timedelta(milliseconds=record.meter_time_in_millis),
        dimensions=record.dimensions,
        unique_id=record.unique_id,
    )
