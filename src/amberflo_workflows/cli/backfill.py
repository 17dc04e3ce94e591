"""``metering backfill``: count the usage in a file."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from amberflo_workflows.cli.context import get_deployment, reported_errors
from amberflo_workflows.cli.known_meters import MetersNotChecked, fetch_known_meters
from amberflo_workflows.cli.options import FileFormat, Json
from amberflo_workflows.cli.output import console, fail, say
from amberflo_workflows.core.file_encoding import InvalidFile
from amberflo_workflows.core.file_options import FileOptions, LongDimensions
from amberflo_workflows.core.usage_file import FileLayout, detect_format, read_layout
from amberflo_workflows.entrypoints.backfill.sending import ChunkNotSent, RowDestination
from amberflo_workflows.local.home import home
from amberflo_workflows.operate.backfill import run as backfill_run
from amberflo_workflows.operate.backfill import s3_backfill
from amberflo_workflows.operate.backfill.journal import ProgressJournal
from amberflo_workflows.operate.backfill.run import BackfillReport
from amberflo_workflows.operate.backfill.source import LocalFile, S3File, UsageSource
from amberflo_workflows.operate.deployment import Deployment
from amberflo_workflows.operate.usage_members import parse_member
from amberflo_workflows.operate.usage_report import format_number

app = typer.Typer(add_completion=False)

OTHER_OPTIONS_ADVICE = (
    "Correct rejected usage with: metering rejected redrive. Do not send the file again with other options: its rows "
    "would count twice."
)


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
    as_json: Json = False,
) -> None:
    """Count the usage in a file.

    The members of a usage are tenantId, meterApiName, meterValue, and a time: meterTimeInMillis, or time in ISO 8601
    or in seconds, milliseconds or microseconds since 1970.
    A row is identified by its uniqueId, or by its text and position in the file if it has none, so that sending a file
    again counts nothing twice, also under another name. With other options its rows count again: correct rejected rows
    with metering rejected redrive, and cancel the usage before you send the file in another way.
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
            elif isinstance(source, S3File):
                _send_on_aws(get_deployment(context), source, options, as_json)
            else:
                _send_from_here(get_deployment(context), source, layout, restart, as_json)
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
    report.warnings += warnings
    _show_report(report, as_json, is_dry_run=True)


def _send_from_here(
    deployment: Deployment, source: UsageSource, layout: FileLayout, restart: bool, as_json: bool
) -> None:
    table, machine = deployment.outputs["RejectedTableName"], deployment.state_machine_arns["ingest_usage"]
    journal = ProgressJournal.from_key(home() / "backfills", source.fingerprint(), repr(layout), machine)
    if restart:
        journal.delete()
    progress = journal.read()
    if progress and not as_json:
        say(f"Resuming after {progress.accepted + progress.rejected:,} rows. Use --restart to start over.")
    destination = RowDestination(machine, table, deployment.client("stepfunctions"), deployment.client("dynamodb"))
    steps = backfill_run.send_file(source, layout, destination, journal)
    _show_report(_run_with_progress(steps, "Sending", source), as_json)


def _send_on_aws(deployment: Deployment, source: S3File, options: FileOptions, as_json: bool) -> None:
    arn = s3_backfill.start(deployment, source.object, options)
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
            say(OTHER_OPTIONS_ADVICE)
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
            say(OTHER_OPTIONS_ADVICE)
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
