"""``metering backfill``: count the usage in a file."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from amberflo_workflows.cli.context import get_deployment, reported_errors
from amberflo_workflows.cli.known_meters import MetersNotChecked, fetch_known_meters, find_deployment
from amberflo_workflows.cli.options import FileFormat, Json
from amberflo_workflows.cli.output import console, fail, say, with_progress
from amberflo_workflows.core import sent_files
from amberflo_workflows.core.file_encoding import InvalidFile
from amberflo_workflows.core.file_options import FileOptions, LongDimensions
from amberflo_workflows.core.file_rows import FileRow, read_rows
from amberflo_workflows.core.usage_file import FileLayout, detect_format, read_layout
from amberflo_workflows.entrypoints.backfill.sending import ChunkNotSent, RowDestination
from amberflo_workflows.local.home import home
from amberflo_workflows.operate.backfill import rejected_rows, s3_backfill
from amberflo_workflows.operate.backfill import run as backfill_run
from amberflo_workflows.operate.backfill.journal import ProgressJournal
from amberflo_workflows.operate.backfill.run import BackfillReport
from amberflo_workflows.operate.backfill.source import LocalFile, S3File, UsageSource
from amberflo_workflows.operate.deployment import Deployment
from amberflo_workflows.operate.usage_members import parse_member
from amberflo_workflows.operate.usage_report import format_number

app = typer.Typer(add_completion=False)

REJECTED_ADVICE: Final = (
    "Correct rejected usage with 'metering rejected redrive', or repeat this command with other options and "
    "--only-refused."
)
BUCKET: Final = "BackfillBucketName"


@app.command()
def backfill(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE|s3://BUCKET/KEY", help="CSV or NDJSON file, also .gz.")],
    *,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            help="MEMBER=COLUMN: the column of a member with another name; in NDJSON also a nested one, such as a.b.c.",
        ),
    ] = None,
    constants: Annotated[
        list[str] | None, typer.Option("--set", help="MEMBER=VALUE: a member with the same value in all rows.")
    ] = None,
    ignore: Annotated[list[str] | None, typer.Option(help="A column that is not a dimension.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="A column that is a dimension; others are ignored.")] = None,
    meters: Annotated[
        list[str] | None,
        typer.Option("--meter", help="METER=COLUMN: the value of a meter; repeat it for several meters in a row."),
    ] = None,
    long_dimensions: Annotated[
        LongDimensions,
        typer.Option(help="What happens to dimensions of over 200 characters: leave out, cut, or reject their usage."),
    ] = "refuse",
    time_format: Annotated[
        str, typer.Option(help="The format of the times, such as %m/%d/%Y, if they are neither ISO 8601 nor a number.")
    ] = "",
    time_zone: Annotated[
        str, typer.Option(help="The zone of times that have none: Europe/Berlin or +02:00. Default: UTC.")
    ] = "",
    file_format: FileFormat = None,
    name: Annotated[
        str,
        typer.Option(help="Identify rows by this name and their position. Default: by their text and position."),
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Send nothing; report what would be rejected.")] = False,
    restart: Annotated[bool, typer.Option("--restart", help="Do not resume an interrupted backfill.")] = False,
    only_refused: Annotated[
        bool, typer.Option("--only-refused", help="Send only the rows that were rejected before, as they are read now.")
    ] = False,
    after_cancellation: Annotated[
        bool, typer.Option("--after-cancellation", help="What the file counted with other options is cancelled.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Count the usage in a file.

    The members of a usage are tenantId, meterApiName, meterValue, and a time: meterTimeInMillis, or time in ISO 8601
    or in seconds, milliseconds or microseconds since 1970.
    A row is identified by its uniqueId, or by its text and position in the file if it has none, so that sending a file
    again counts nothing twice, also under another name. With other options its rows would count again: send only those
    that were rejected (--only-refused), or cancel what was counted first (--after-cancellation).
    The workflow backfill_usage reads a file on S3.
    """
    with reported_errors():
        try:
            source = _open_source(context, file)
            options = FileOptions(
                name=name,
                format=file_format or detect_format(source.file_name),
                columns=dict(_parse_pair("--map", text) for text in columns or []),
                constants={
                    member: parse_member(member, text)
                    for member, text in (_parse_pair("--set", pair) for pair in constants or [])
                },
                ignore=ignore or [],
                time_format=time_format,
                time_zone=time_zone,
                only=only or [],
                long_dimensions=long_dimensions,
                meters=_parse_meters(meters or []),
            )
            layout = read_layout(options, source.read())
            if dry_run:
                _check_file(context, source, layout, as_json)
            elif only_refused:
                _send_rejected_rows(get_deployment(context), source, layout, as_json)
            elif isinstance(source, S3File):
                _send_on_aws(get_deployment(context), source, options, as_json, after_cancellation=after_cancellation)
            else:
                deployment = get_deployment(context)
                first = _remember_options(deployment, source, layout, after_cancellation)
                report = _send_from_here(deployment, source, layout, restart, as_json)
                if first and not report.accepted:
                    sent_files.forget(deployment.client("s3"), deployment.outputs[BUCKET], options, first)
                _show_report(report, as_json)
        except InvalidFile as error:
            raise fail(error) from None
        except ChunkNotSent as error:
            raise fail(f"{error} Fix the cause and repeat the command; it resumes where it stopped.") from None


def _open_source(context: typer.Context, file: str) -> UsageSource:
    if file.startswith("s3://"):
        return S3File.from_url(get_deployment(context).client("s3"), file)
    source = LocalFile(Path(file))
    # Raises InvalidFile if the file cannot be read.
    source.fingerprint()
    return source


def _parse_meters(texts: list[str]) -> dict[str, str]:
    pairs = [_parse_pair("--meter", text) for text in texts]
    if len(dict(pairs)) < len(pairs):
        raise fail("--meter must name each meter once", 2)
    return dict(pairs)


def _parse_pair(option: str, text: str) -> tuple[str, str]:
    member, equals, value = text.partition("=")
    if not (member and equals and value):
        raise fail(f"{option} must be {'METER' if option == '--meter' else 'MEMBER'}=…, not '{text}'", 2)
    return member, value


def _check_file(context: typer.Context, source: UsageSource, layout: FileLayout, as_json: bool) -> None:
    meters, warnings = None, []
    try:
        meters = fetch_known_meters(context)
    except MetersNotChecked as error:
        warnings = [str(error)]
    report = _run_with_progress(backfill_run.dry_run(source, layout, meters), "Reading", source)
    report.warnings += [*warnings, *_describe_difference(context, source, layout)]
    _show_report(report, as_json, is_dry_run=True)


def _describe_difference(context: typer.Context, source: UsageSource, layout: FileLayout) -> Iterator[str]:
    """Yield a warning if the file was sent with other options to the deployment, if there is one."""
    deployment, first = find_deployment(context), _read_first_row(source, layout)
    if deployment and first:
        client, bucket = deployment.client("s3"), deployment.outputs[BUCKET]
        if difference := sent_files.describe_difference(client, bucket, layout.options, first):
            yield f"The rows would count twice: {difference}."


def _send_from_here(
    deployment: Deployment, source: UsageSource, layout: FileLayout, restart: bool, as_json: bool
) -> BackfillReport:
    table, machine = deployment.outputs["RejectedTableName"], deployment.state_machine_arns["ingest_usage"]
    journal = ProgressJournal.from_key(home() / "backfills", source.fingerprint(), repr(layout), machine)
    if restart:
        journal.delete()
    progress = journal.read()
    if progress and not as_json:
        say(f"Resuming after {progress.accepted + progress.rejected:,} rows. Use --restart to start over.")
    destination = RowDestination(machine, table, deployment.client("stepfunctions"), deployment.client("dynamodb"))
    steps = backfill_run.send_file(source, layout, destination, journal)
    return _run_with_progress(steps, "Sending", source)


def _remember_options(
    deployment: Deployment, source: UsageSource, layout: FileLayout, after_cancellation: bool
) -> FileRow | None:
    """Store the options in the deployment; return the first row, if there is one. Raises :class:`InvalidFile`."""
    first = _read_first_row(source, layout)
    if first:
        client, bucket = deployment.client("s3"), deployment.outputs[BUCKET]
        sent_files.remember(client, bucket, layout.options, first, is_cancelled=after_cancellation)
    return first


def _read_first_row(source: UsageSource, layout: FileLayout) -> FileRow | None:
    return next(read_rows(source.read(layout.rows_start), layout.rows_start, layout.options.format), None)


def _send_rejected_rows(deployment: Deployment, source: UsageSource, layout: FileLayout, as_json: bool) -> None:
    rows = rejected_rows.select_rejected_rows(deployment, source, layout)
    results = list(with_progress(rejected_rows.send_rejected_rows(deployment, rows), "Sending", len(rows)))
    rejected = [result.item for result in results if not result.counted]
    if as_json:
        print(json.dumps({"accepted": len(results) - len(rejected), "rejected": len(rejected)}))
    else:
        say(f"{len(results) - len(rejected):,} counted, {len(rejected):,} still rejected; see: metering rejected list")
    raise typer.Exit(1 if rejected else 0)


def _send_on_aws(
    deployment: Deployment, source: S3File, options: FileOptions, as_json: bool, *, after_cancellation: bool
) -> None:
    arn = s3_backfill.start(deployment, source.object, options, after_cancellation=after_cancellation)
    if not as_json:
        say(f"Started backfill_usage: {arn}")
    with _build_progress_bar() as bar:
        task = bar.add_task("Ranges of the file", total=None)
        for ranges in s3_backfill.follow(deployment, arn):
            bar.update(task, completed=ranges.done, total=ranges.total)
    data = s3_backfill.fetch_result(deployment, arn)
    if as_json:
        print(json.dumps({**data, "execution": arn}))
    else:
        say(f"{data['accepted']:,} counted, {data['rejected']:,} rejected; see: metering rejected list")
        if data["rejected"] and data["accepted"]:
            say(REJECTED_ADVICE)
    raise typer.Exit(1 if data["rejected"] else 0)


def _run_with_progress(steps: Iterable[tuple[int, BackfillReport]], title: str, source: UsageSource) -> BackfillReport:
    report = BackfillReport()
    with _build_progress_bar() as bar:
        task = bar.add_task(title, total=source.size())
        for end, current_report in steps:
            bar.update(task, completed=end)
            report = current_report
    return report


def _show_report(report: BackfillReport, as_json: bool, *, is_dry_run: bool = False) -> None:
    if as_json:
        counts = {"accepted": report.accepted, "rejected": report.rejected, "totals": report.totals}
        times = {"times": report.times} if report.times else {}
        identities = {name: count for name, count in asdict(report.identities).items() if count}
        warnings = {"warnings": report.warnings} if report.warnings else {}
        details = {"reasons": report.reasons, "examples": report.examples}
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
            say(f"  {count:,} x {reason}, at byte")
            for example in report.examples[reason]:
                say(f"    {example}")
        if report.rejected and report.accepted and not is_dry_run:
            say(REJECTED_ADVICE)
    raise typer.Exit(1 if report.rejected else 0)


def _build_progress_bar() -> Progress:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, disable=not console.is_terminal)
