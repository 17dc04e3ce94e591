"""Read a file and send it, or only judge it."""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from amberflo_workflows.core.chunks import TOO_LARGE_REASON, exceeds_chunk_limit
from amberflo_workflows.core.reported_usage import ReportedUsage
from amberflo_workflows.core.usage_file import FileLayout, FileRow, parse_row, read_rows
from amberflo_workflows.core.usage_record import InvalidUsage, build_record, check_countable
from amberflo_workflows.entrypoints.backfill.sending import RowDestination, send_rows
from amberflo_workflows.operate.backfill.journal import Progress, ProgressJournal
from amberflo_workflows.operate.backfill.source import UsageSource

# Reasons are shown with some of the rows that they are about.
SHOWN_ROWS: Final = 5
_JOURNAL_SECONDS: Final = 0.5


@dataclass
class BackfillReport:
    """What became, or would become, of the rows."""

    accepted: int = 0
    rejected: int = 0
    totals: dict[str, float] = field(default_factory=dict)
    reasons: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def refuse(self, row: FileRow, reason: str) -> None:
        """Note a row that is refused."""
        self.rejected += 1
        self.reasons[reason] += 1
        shown = self.examples.setdefault(reason, [])
        if len(shown) < SHOWN_ROWS:
            shown.append(f"{row.start}: {row.text.decode(errors='backslashreplace')[:80]}")


def dry_run(source: UsageSource, layout: FileLayout) -> Iterator[tuple[int, BackfillReport]]:
    """What would become of the rows, without sending any; the byte one is at, and the report so far."""
    report, now = BackfillReport(), int(time.time() * 1000)
    for row in read_rows(source.read(layout.rows_start), layout.rows_start):
        usage = parse_row(row, layout)
        if exceeds_chunk_limit([usage]):
            report.refuse(row, TOO_LARGE_REASON)
        else:
            _judge(row, usage, report, now)
        yield row.end, report


def _judge(row: FileRow, usage: ReportedUsage, report: BackfillReport, now_in_millis: int) -> None:
    try:
        record = build_record(usage.usage, event_id=usage.event_id, event_time=usage.event_time)
        check_countable(record, now_in_millis=now_in_millis)
    except InvalidUsage as refusal:
        report.refuse(row, str(refusal))
        return
    report.accepted += 1
    report.totals[record.meter_api_name] = report.totals.get(record.meter_api_name, 0) + record.meter_value


def send_file(
    source: UsageSource, layout: FileLayout, place: RowDestination, journal: ProgressJournal
) -> Iterator[tuple[int, BackfillReport]]:
    """Send the rows from where the journal says; the byte one is at, and the report so far.

    Raises :class:`ChunkNotSent`; the journal knows how far one came.
    """
    begun = journal.read() or Progress(layout.rows_start)
    report, written = BackfillReport(begun.accepted, begun.rejected), 0.0
    for sent in send_rows(read_rows(source.read(begun.through), begun.through), layout, place):
        report.accepted += sent.accepted
        for refusal in sent.rejected:
            report.refuse(refusal.row, refusal.reason)
        if time.monotonic() - written > _JOURNAL_SECONDS:
            journal.write(Progress(sent.end, report.accepted, report.rejected))
            written = time.monotonic()
        yield sent.end, report
    journal.forget()
