"""Show what ``metering backfill`` does and did."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Final

import typer
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from amberflo_workflows.cli.output import error_console, say
from amberflo_workflows.operate.backfill.lines import find_line_numbers
from amberflo_workflows.operate.backfill.run import BackfillReport
from amberflo_workflows.operate.backfill.source import UsageSource
from amberflo_workflows.operate.usage_report import format_number

REJECTED_ADVICE: Final = (
    "Correct rejected usage with 'metering rejected redrive', or repeat this command with other options and "
    "--only-refused."
)


def run_with_progress(steps: Iterable[tuple[int, BackfillReport]], title: str, source: UsageSource) -> BackfillReport:
    """Run the steps of a backfill with a progress bar, and return the last report."""
    report = BackfillReport()
    with build_progress_bar() as bar:
        task = bar.add_task(title, total=source.size())
        for end, current_report in steps:
            bar.update(task, completed=end)
            report = current_report
    return report


def show_report(report: BackfillReport, source: UsageSource, *, as_json: bool, is_dry_run: bool = False) -> None:
    """Print a report, and exit with 1 if usage was rejected."""
    examples = _describe_examples(report, source)
    if as_json:
        counts = {"accepted": report.accepted, "rejected": report.rejected, "totals": report.totals}
        times = {"times": report.times} if report.times else {}
        identities = {name: count for name, count in asdict(report.identities).items() if count}
        warnings = {"warnings": report.warnings} if report.warnings else {}
        details = {"reasons": report.reasons, "examples": examples}
        print(json.dumps({**counts, **times, **identities, **warnings, **details}))
    else:
        verb = "would be counted" if is_dry_run else "counted"
        say(f"{report.accepted:,} {verb}, {report.rejected:,} rejected.")
        for note in report.identities.describe():
            say(f"  {note}")
        for meter, total in sorted(report.totals.items()):
            say(f"  {meter}: {format_number(total)} in total")
        for form, count in report.times.most_common():
            say(f"  {count:,} times were read as {form}")
        for warning in report.warnings:
            say(f"  Warning: {warning}")
        for reason, count in report.reasons.most_common():
            say(f"  {count:,} x {reason}")
            for example in examples[reason]:
                say(f"    {example}")
        if report.rejected and report.accepted and not is_dry_run:
            say(REJECTED_ADVICE)
    raise typer.Exit(1 if report.rejected else 0)


def _describe_examples(report: BackfillReport, source: UsageSource) -> dict[str, list[str]]:
    """Return the place and the text of rejected rows, by reason. For an editor the place is the line."""
    examples = report.examples
    lines = find_line_numbers(source, (example.start for rows in examples.values() for example in rows))
    return {
        reason: [f"line {lines[example.start]:,} (byte {example.start:,}): {example.text}" for example in rows]
        for reason, rows in examples.items()
    }


def build_progress_bar() -> Progress:
    """Return a progress bar, which is shown on the standard error if that is a terminal."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=error_console, disable=not error_console.is_terminal)
