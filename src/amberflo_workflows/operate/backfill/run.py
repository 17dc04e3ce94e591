"""Send the rows of a file, or only validate them."""

import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Final

from amberflo_workflows.core.chunks import TOO_LARGE_REASON, exceeds_chunk_limit
from amberflo_workflows.core.file_times import describe_time
from amberflo_workflows.core.reported_usage import ReportedUsage
from amberflo_workflows.core.usage_file import FileLayout, FileRow, parse_usages, read_rows
from amberflo_workflows.core.usage_record import InvalidUsage, build_record, check_countable
from amberflo_workflows.entrypoints.backfill.sending import RowDestination, send_rows
from amberflo_workflows.operate.backfill.identities import IdentityIndex, RowIdentities
from amberflo_workflows.operate.backfill.journal import Progress, ProgressJournal
from amberflo_workflows.operate.backfill.source import UsageSource

# Rows shown as examples of each reason.
MAX_EXAMPLES: Final = 5
_JOURNAL_SECONDS: Final = 0.5


@dataclass
class BackfillReport:
    """Accepted and rejected usages. ``examples`` has rows of each reason, with the byte at which each begins.

    ``times`` counts, in a dry run, how the times of rows were read, and ``identities`` how rows are identified.
    """

    accepted: int = 0
    rejected: int = 0
    totals: dict[str, float] = field(default_factory=dict)
    reasons: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    times: Counter[str] = field(default_factory=Counter)
    identities: RowIdentities = field(default_factory=RowIdentities)

    def add_rejected(self, row: FileRow, reason: str) -> None:
        """Add a rejected row."""
        self.rejected += 1
        reason = group_reason(reason)
        self.reasons[reason] += 1
        examples = self.examples.setdefault(reason, [])
        if len(examples) < MAX_EXAMPLES:
            examples.append(f"{row.start}: {row.text.decode(errors='backslashreplace')[:80]}")


def group_reason(reason: str) -> str:
    """Return a reason without the length or the time that differs from row to row, so that equal causes add up."""
    reason = re.sub(r"has [\d,]+ characters, (?=at most )", "has too many characters, ", reason)
    return re.sub(r"^there is no time: '.*' (?=is neither|does not)", "there is no time: it ", reason, flags=re.DOTALL)


def dry_run(source: UsageSource, layout: FileLayout) -> Iterator[tuple[int, BackfillReport]]:
    """Validate the rows without sending them. Yields the byte after the last row read, and the report so far."""
    report, now = BackfillReport(), int(time.time() * 1000)
    with closing(IdentityIndex()) as index:
        yield from _validate_rows(source, layout, report, now, index)


def _validate_rows(
    source: UsageSource, layout: FileLayout, report: BackfillReport, now: int, index: IdentityIndex
) -> Iterator[tuple[int, BackfillReport]]:
    for row in read_rows(source.read(layout.rows_start), layout.rows_start, layout.options.format):
        usages = parse_usages(row, layout)
        if form := describe_time(usages[0], layout.options.times):
            report.times[form] += 1
        for usage in usages:
            _validate_usage(row, usage, report, now, index)
        yield row.end, report


def _validate_usage(
    row: FileRow, usage: ReportedUsage, report: BackfillReport, now_in_millis: int, index: IdentityIndex
) -> None:
    if exceeds_chunk_limit([usage]):
        report.add_rejected(row, TOO_LARGE_REASON)
        return
    try:
        record = build_record(usage.usage, event_id=usage.event_id, event_time=usage.event_time, reason=usage.reason)
        check_countable(record, now_in_millis=now_in_millis)
    except InvalidUsage as error:
        report.add_rejected(row, str(error))
        return
    report.accepted += 1
    value: float = record.meter_value
    if record.unique_id == usage.event_id:
        report.identities.by_position += 1
    elif (earlier := index.add(record)) is not None:
        report.identities.add_repetition(is_same=earlier == value)
        value -= earlier
    report.totals[record.meter_api_name] = report.totals.get(record.meter_api_name, 0) + value


def send_file(
    source: UsageSource, layout: FileLayout, destination: RowDestination, journal: ProgressJournal
) -> Iterator[tuple[int, BackfillReport]]:
    """Send the rows, from the progress in the journal. Yields the byte after the last row sent, and the report so far.

    Raises :class:`ChunkNotSent`; the journal has the progress up to then.
    """
    progress = journal.read() or Progress(layout.rows_start)
    report, written = BackfillReport(progress.accepted, progress.rejected), 0.0
    rows = read_rows(source.read(progress.through), progress.through, layout.options.format)
    for sent in send_rows(rows, layout, destination):
        report.accepted += sent.accepted
        for rejected in sent.rejected:
            report.add_rejected(rejected.row, rejected.reason)
        if time.monotonic() - written > _JOURNAL_SECONDS:
            journal.write(Progress(sent.end, report.accepted, report.rejected))
            written = time.monotonic()
        yield sent.end, report
    journal.delete()
