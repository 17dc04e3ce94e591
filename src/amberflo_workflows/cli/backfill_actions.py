"""What ``metering backfill`` does with a file: check it, or send it or its rejected rows."""

import json
from typing import Final

import typer

from amberflo_workflows.cli.backfill_report import REJECTED_ADVICE, build_progress_bar, run_with_progress, show_report
from amberflo_workflows.cli.known_meters import MetersNotChecked, fetch_known_meters, find_deployment
from amberflo_workflows.cli.output import say, with_progress
from amberflo_workflows.cli.waiting import report_interruption
from amberflo_workflows.core import sent_files
from amberflo_workflows.core.file_options import FileOptions
from amberflo_workflows.core.file_rows import FileRow, read_rows
from amberflo_workflows.core.usage_file import FileLayout
from amberflo_workflows.entrypoints.sending import Destination
from amberflo_workflows.local.home import home
from amberflo_workflows.operate.backfill import rejected_rows, s3_backfill
from amberflo_workflows.operate.backfill import run as backfill_run
from amberflo_workflows.operate.backfill.journal import ProgressJournal
from amberflo_workflows.operate.backfill.run import BackfillReport
from amberflo_workflows.operate.backfill.source import S3File, UsageSource
from amberflo_workflows.operate.deployment import Deployment
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.workflow_start import start_with

_BUCKET: Final = "BackfillBucketName"


def check_file(context: typer.Context, source: UsageSource, layout: FileLayout, *, as_json: bool) -> None:
    """Show what would be counted. Without a deployment the names of meters and earlier runs are not checked."""
    meters, warnings = None, []
    try:
        meters = fetch_known_meters(context)
    except MetersNotChecked as error:
        warnings = [str(error)]
    report = run_with_progress(backfill_run.dry_run(source, layout, meters), "Reading", source)
    report.warnings += [*warnings, *_describe_earlier_run(context, source, layout)]
    show_report(report, source, as_json=as_json, is_dry_run=True)


def send_from_here(
    deployment: Deployment,
    source: UsageSource,
    layout: FileLayout,
    *,
    restart: bool,
    as_json: bool,
    after_cancellation: bool,
) -> None:
    """Send a file from this machine, and show the outcome. Raises :class:`InvalidFile` and :class:`ChunkNotSent`."""
    s3, bucket = deployment.client("s3"), deployment.outputs[_BUCKET]
    first, is_new = _read_first_row(source, layout), False
    if first:
        is_new = sent_files.remember(s3, bucket, layout.options, first, is_cancelled=after_cancellation)
    report = _send(deployment, source, layout, restart=restart, as_json=as_json)
    # A run of which nothing was counted may be repeated with other options, unless an earlier run counted something.
    if first and is_new and not report.accepted:
        sent_files.forget(s3, bucket, layout.options, first)
    show_report(report, source, as_json=as_json)


def send_on_aws(
    context: typer.Context,
    deployment: Deployment,
    source: S3File,
    options: FileOptions,
    *,
    as_json: bool,
    after_cancellation: bool,
) -> None:
    """Start the workflow for a file on S3, follow it, and show the outcome. Raises :class:`OperatorError`."""
    arn = s3_backfill.start(deployment, source.object, options, after_cancellation=after_cancellation)
    if not as_json:
        say(f"Started backfill_usage: {arn}")
    try:
        with build_progress_bar() as bar:
            task = bar.add_task("Ranges of the file", total=None)
            for ranges in s3_backfill.follow(deployment, arn):
                bar.update(task, completed=ranges.done, total=ranges.total)
    except KeyboardInterrupt:
        raise report_interruption(context, arn) from None
    data = s3_backfill.fetch_result(deployment, arn)
    if as_json:
        print(json.dumps({**data, "execution": arn}))
    else:
        say(f"{data['accepted']:,} counted, {data['rejected']:,} rejected; see: metering rejected list")
        if data["rejected"] and data["accepted"]:
            say(REJECTED_ADVICE)
    raise typer.Exit(1 if data["rejected"] else 0)


def send_rejected_rows(deployment: Deployment, source: UsageSource, layout: FileLayout, *, as_json: bool) -> None:
    """Send the rows that were rejected, as they are read now, and show the outcome. Raises :class:`InvalidFile`."""
    rows = rejected_rows.select_rejected_rows(deployment, source, layout)
    results = list(with_progress(rejected_rows.send_rejected_rows(deployment, rows), "Sending", len(rows)))
    rejected = sum(not result.counted for result in results)
    accepted = len(results) - rejected
    if as_json:
        print(json.dumps({"accepted": accepted, "rejected": rejected}))
    else:
        say(f"{accepted:,} counted, {rejected:,} still rejected; see: metering rejected list")
    raise typer.Exit(1 if rejected else 0)


def _send(
    deployment: Deployment, source: UsageSource, layout: FileLayout, *, restart: bool, as_json: bool
) -> BackfillReport:
    table, machine = deployment.outputs["RejectedTableName"], deployment.state_machine_arns["ingest_usage"]
    journal = ProgressJournal.from_key(home() / "backfills", source.fingerprint(), repr(layout), machine)
    if restart:
        journal.delete()
    progress = journal.read()
    if progress and not as_json:
        say(f"Resuming after {progress.accepted + progress.rejected:,} rows. Use --restart to start over.")
    start = start_with(deployment.client("stepfunctions"))
    destination = Destination(machine, table, start, deployment.client("dynamodb"))
    return run_with_progress(backfill_run.send_file(source, layout, destination, journal), "Sending", source)


def _describe_earlier_run(context: typer.Context, source: UsageSource, layout: FileLayout) -> list[str]:
    """Return a warning if the file was sent with other options, or if that cannot be checked."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - slow to import, and most commands do without it

    try:
        deployment, first = find_deployment(context), _read_first_row(source, layout)
        if not (deployment and first):
            return []
        s3, bucket = deployment.client("s3"), deployment.outputs[_BUCKET]
        difference = sent_files.describe_difference(s3, bucket, layout.options, first)
    except (OperatorError, BotoCoreError, ClientError) as error:
        return [f"Whether the file was sent with other options was not checked: {error}"]
    return [f"The rows would count twice: {difference}."] if difference else []


def _read_first_row(source: UsageSource, layout: FileLayout) -> FileRow | None:
    return next(read_rows(source.read(layout.rows_start), layout.rows_start, layout.options.format), None)
