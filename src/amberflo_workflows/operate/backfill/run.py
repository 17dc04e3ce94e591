"""Send the rows of a file, or only validate them."""

import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from amberflo_workflows.core.chunks import TOO_LARGE_REASON, encode_usage, exceeds_chunk_limit
from amberflo_workflows.core.file_rows import FileRow, read_rows
from amberflo_workflows.core.file_times import describe_time
from amberflo_workflows.core.meter_names import KnownMeters
from amberflo_workflows.core.reported_usage import ReportedUsage
from amberflo_workflows.core.usage_file import FileLayout, parse_usages
from amberflo_workflows.core.usage_record import InvalidUsage, UsageRecord, build_record, check_countable
from amberflo_workflows.entrypoints.backfill.sending import send_rows
from amberflo_workflows.entrypoints.sending import Destination
from amberflo_workflows.operate.backfill.identities import IdentityIndex, RowIdentities
from amberflo_workflows.operate.backfill.journal import Progress, ProgressJournal
from amberflo_workflows.operate.backfill.source import UsageSource

# Rows shown as examples of each reason.
MAX_EXAMPLES: Final = 5
_JOURNAL_SECONDS: Final = 0.5


class RowExample(NamedTuple):
    """A row by the byte at which it starts, and the beginning of its text."""

    start: int
    text: str


@dataclass
class BackfillReport:
    """Accepted and rejected usages. ``examples`` has rows of each reason.

    In a dry run, ``times`` counts how the times of rows were read, ``identities`` has how rows are identified, and
    ``warnings`` what is doubtful.
    """

    accepted: int = 0
    rejected: int = 0
    totals: dict[str, float] = field(default_factory=dict)
    reasons: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[RowExample]] = field(default_factory=dict)
    times: Counter[str] = field(default_factory=Counter)
    identities: RowIdentities = field(default_factory=RowIdentities)
    warnings: list[str] = field(default_factory=list)

    def add_rejected(self, row: FileRow, reason: str) -> None:
        """Add a rejected row."""
        self.rejected += 1
        reason = group_reason(reason)
        self.reasons[reason] += 1
        examples = self.examples.setdefault(reason, [])
        if len(examples) < MAX_EXAMPLES:
            examples.append(RowExample(row.start, row.text.decode(errors="backslashreplace")[:80]))


def group_reason(reason: str) -> str:
    """Return a reason without the length or the time that differs from row to row, so that equal causes add up."""
    reason = re.sub(r"has [\d,]+ characters, (?=at most )", "has too many characters, ", reason)
    return re.sub(r"^there is no time: '.*' (?=is neither|does not)", "there is no time: it ", reason, flags=re.DOTALL)


def dry_run(
    source: UsageSource, layout: FileLayout, meters: KnownMeters | None = None
) -> Iterator[tuple[int, BackfillReport]]:
    """Validate the rows without sending them. Yields the byte after the last row read, and the report so far.

    The names of meters are checked if the ``meters`` of the deployment are passed.
    """
    with closing(IdentityIndex()) as index:
        validation = _Validation(int(time.time() * 1000), meters, index, BackfillReport())
        for row in read_rows(source.read(layout.rows_start), layout.rows_start, layout.options.format):
            usages = parse_usages(row, layout)
            if form := describe_time(usages[0], layout.options.times):
                validation.report.times[form] += 1
            for usage in usages:
                validation.add(row, usage)
            yield row.end, validation.report


@dataclass(frozen=True)
class _Validation:
    """What the usages of a file are checked with, and the report so far."""

    now_in_millis: int
    meters: KnownMeters | None
    index: IdentityIndex
    report: BackfillReport

    def add(self, row: FileRow, usage: ReportedUsage) -> None:
        if exceeds_chunk_limit([encode_usage(None, usage)]):
            self.report.add_rejected(row, TOO_LARGE_REASON)
            return
        try:
            record = build_record(
                usage.usage, event_id=usage.event_id, event_time=usage.event_time, reason=usage.reason
            )
            check_countable(record, now_in_millis=self.now_in_millis)
            if self.meters is not None:
                self.meters.check(record)
        except InvalidUsage as error:
            self.report.add_rejected(row, str(error))
            return
        self._add_record(record, has_own_id=record.unique_id != usage.event_id)

    def _add_record(self, record: UsageRecord, *, has_own_id: bool) -> None:
        """Count a record as Amberflo does: of those with the same identity, the latest."""
        value: float = record.meter_value
        if not has_own_id:
            self.report.identities.by_position += 1
        elif (earlier := self.index.add(record)) is not None:
            self.report.identities.add_repetition(is_same=earlier == value)
            value -= earlier
        self.report.accepted += 1
        totals = self.report.totals
        totals[record.meter_api_name] = totals.get(record.meter_api_name, 0) + value


def send_file(
    source: UsageSource, layout: FileLayout, destination: Destination, journal: ProgressJournal
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
