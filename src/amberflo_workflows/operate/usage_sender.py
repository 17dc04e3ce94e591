"""Validate usages and put them on the event bus with the emitter."""

import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from amberflo_workflows.core.chunks import extract_usages
from amberflo_workflows.core.file_encoding import InvalidFile
from amberflo_workflows.core.reported_usage import ReportedUsage
from amberflo_workflows.core.usage_record import build_record, check_countable
from amberflo_workflows.emit import UsageEmitter
from amberflo_workflows.emit.errors import get_error_code

# A file can be read as slowly as the emitter's buffer empties.
_MAX_WAIT_SECONDS: Final = 86_400.0
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_PROGRESS_INTERVAL: Final = 1000


@dataclass
class SendReport:
    """How many usages are on the bus, and which were rejected or could not be sent.

    ``error`` is AWS's code for the last usage that could not be sent; ``stopped`` says why a file was not read to
    its end.
    """

    sent: int = 0
    rejected: list[dict[str, str]] = field(default_factory=list)
    not_sent: list[dict[str, Any]] = field(default_factory=list)
    error: str | None = None
    stopped: str | None = None

    @property
    def is_complete(self) -> bool:
        """Whether all are on the bus."""
        return not (self.rejected or self.not_sent or self.stopped)


def extract_detail_usages(detail: Any) -> list[ReportedUsage]:
    """Return the usages of an event's detail, under a new event id. Raises ``RecursionError`` if it is too deep."""
    return extract_usages(detail, event_id=str(uuid.uuid4()), event_time="")


def send_usages(
    usages: Iterable[ReportedUsage], client: Any, bus: str, source: str, on_progress: Callable[[int], None]
) -> SendReport:
    """Put usages on the bus; ``on_progress`` is called from time to time with the number of usages read."""
    report = SendReport()

    def on_failure(failed: list[dict[str, Any]], error: Exception) -> None:
        report.not_sent += failed
        report.error = get_error_code(error)

    with UsageEmitter(bus, source, client=client, max_wait=_MAX_WAIT_SECONDS, on_failure=on_failure) as emitter:
        recorded = sum(_record_all(usages, emitter, report, on_progress))
        emitter.flush()
    report.sent = recorded - len(report.not_sent)
    return report


def _record_all(
    usages: Iterable[ReportedUsage], emitter: UsageEmitter, report: SendReport, on_progress: Callable[[int], None]
) -> Iterator[bool]:
    try:
        for number, reported in enumerate(usages, 1):
            try:
                _record(reported, emitter)
                yield True
            except ValueError as error:
                report.rejected.append({"id": reported.event_id, "reason": str(error)})
            if number % _PROGRESS_INTERVAL == 0:
                on_progress(number)
    except InvalidFile as error:
        report.stopped = str(error)


def _record(reported: ReportedUsage, emitter: UsageEmitter) -> None:
    """Validate a usage as the workflow does, and record it with the emitter. Raises ``ValueError``."""
    now = datetime.now(UTC)
    record = build_record(
        reported.usage,
        event_id=reported.event_id,
        event_time=reported.event_time or now.isoformat(),
        reason=reported.reason,
    )
    check_countable(record, now_in_millis=int(now.timestamp() * 1000))
    emitter.record(
        record.customer_id,
        record.meter_api_name,
        record.meter_value,
        time=_EPOCH + timedelta(milliseconds=record.meter_time_in_millis),
        dimensions=record.dimensions,
        unique_id=record.unique_id,
    )
