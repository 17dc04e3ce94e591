"""``metering backfill``: usage out of a file."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from amberflo_workflows.cli.shared import Json, console, fail, get_deployment, reported_errors, say
from amberflo_workflows.local.home import home

if TYPE_CHECKING:
    from collections.abc import Iterable

    from amberflo_workflows.core.usage_file import FileLayout, FileOptions
    from amberflo_workflows.operate.backfill.run import BackfillReport
    from amberflo_workflows.operate.backfill.source import S3File, UsageSource
    from amberflo_workflows.operate.deployment import Deployment

Pairs = Annotated[
    list[str] | None, typer.Option("--map", help="A member's column, if its name is another: MEMBER=COLUMN.")
]
Constants = Annotated[
    list[str] | None, typer.Option("--set", help="A member that is the same in all rows: MEMBER=VALUE.")
]


def backfill(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE|s3://BUCKET/KEY", help="CSV or NDJSON; .gz too.")],
    *,
    pairs: Pairs = None,
    constants: Constants = None,
    ignore: Annotated[list[str] | None, typer.Option(help="A column that is no dimension.")] = None,
    kind: Annotated[
        Literal["csv", "ndjson"] | None, typer.Option("--format", help="If the file's name does not tell.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="What identifies its rows; default: the file's name.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be refused.")] = False,
    restart: Annotated[bool, typer.Option("--restart", help="From the beginning, though it was interrupted.")] = False,
    as_json: Json = False,
) -> None:
    """Count the usage in a file.

    Members of a usage: tenantId, meterApiName, meterValue, and a time: meterTimeInMillis, or time in ISO 8601.
    uniqueId identifies a row; without one its place in the file does. Sending a file again is harmless. A file on S3
    is read there, by the workflow backfill_usage.
    """
    from amberflo_workflows.core.usage_file import (  # noqa: PLC0415 - slow to import
        FileOptions,
        InvalidFile,
        detect_format,
        read_layout,
    )
    from amberflo_workflows.entrypoints.backfill.sending import ChunkNotSent  # noqa: PLC0415 - as above

    with reported_errors():
        try:
            source = _source(context, file)
            reading = FileOptions(
                name=name or source.file_name,
                format=kind or detect_format(source.file_name),
                columns=dict(_pair("--map", pair) for pair in pairs or []),
                constants={member: _value(text) for member, text in (_pair("--set", one) for one in constants or [])},
                ignore=ignore or [],
            )
            layout = read_layout(reading, source.read())
            if dry_run:
                _judge(source, layout, as_json)
            elif file.startswith("s3://"):
                _send_there(get_deployment(context), source, reading, as_json)  # type: ignore[arg-type] # it is an S3File
            else:
                _send_from_here(get_deployment(context), source, layout, restart, as_json)
        except InvalidFile as error:
            raise fail(error) from None
        except ChunkNotSent as error:
            raise fail(f"{error} Run the same command again when that is mended: it goes on where it was.") from None


def _source(context: typer.Context, file: str) -> "UsageSource":
    from amberflo_workflows.operate.backfill.source import LocalFile, S3File  # noqa: PLC0415 - slow to import

    if not file.startswith("s3://"):
        found = LocalFile(Path(file))
        found.fingerprint()
        return found
    return S3File.of(get_deployment(context).client("s3"), file)


def _pair(option: str, text: str) -> tuple[str, str]:
    left, equals, right = text.partition("=")
    if not (left and equals and right):
        raise fail(f"{option} takes MEMBER=…, not '{text}'", 2)
    return left, right


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _judge(source: "UsageSource", layout: "FileLayout", as_json: bool) -> None:
    from amberflo_workflows.operate.backfill.run import dry_run  # noqa: PLC0415 - slow to import

    _tell(_followed(dry_run(source, layout), "Reading", source), "would be counted", as_json)


def _send_from_here(
    deployed: "Deployment", source: "UsageSource", layout: "FileLayout", restart: bool, as_json: bool
) -> None:
    from amberflo_workflows.entrypoints.backfill.sending import RowDestination  # noqa: PLC0415 - slow to import
    from amberflo_workflows.operate.backfill.journal import ProgressJournal  # noqa: PLC0415 - as above
    from amberflo_workflows.operate.backfill.run import send_file  # noqa: PLC0415 - as above

    table, machine = deployed.outputs["RejectedTableName"], deployed.state_machine_arns["ingest_usage"]
    journal = ProgressJournal.of(home() / "backfills", source.fingerprint(), repr(layout), machine)
    if restart:
        journal.forget()
    begun = journal.read()
    if begun and not as_json:
        say(f"Going on after {begun.accepted + begun.rejected:,} rows; --restart begins anew.")
    place = RowDestination(machine, table, deployed.client("stepfunctions"), deployed.client("dynamodb"))
    _tell(_followed(send_file(source, layout, place, journal), "Sending", source), "counted", as_json)


def _send_there(deployed: "Deployment", source: "S3File", reading: "FileOptions", as_json: bool) -> None:
    from amberflo_workflows.operate.backfill import on_aws  # noqa: PLC0415 - slow to import

    arn = on_aws.start(deployed, source.found, reading)
    if not as_json:
        say(f"backfill_usage reads it: {arn}")
    with _bar() as bar:
        task = bar.add_task("Ranges of the file", total=None)
        for ranges in on_aws.follow(deployed, arn):
            bar.update(task, completed=ranges.done, total=ranges.total)
    data = on_aws.fetch_result(deployed, arn)
    if as_json:
        print(json.dumps({**data, "execution": arn}))
    else:
        say(f"{data['accepted']:,} counted, {data['rejected']:,} refused; see: metering rejected list")
    raise typer.Exit(1 if data["rejected"] else 0)


def _followed(steps: "Iterable[tuple[int, BackfillReport]]", title: str, source: "UsageSource") -> "BackfillReport":
    from amberflo_workflows.operate.backfill.run import BackfillReport  # noqa: PLC0415 - slow to import

    report = BackfillReport()
    with _bar() as bar:
        task = bar.add_task(title, total=source.size())
        for end, report in steps:  # noqa: B007 - the last one is what is told
            bar.update(task, completed=end)
    return report


def _tell(report: "BackfillReport", done: str, as_json: bool) -> None:
    if as_json:
        facts = {"accepted": report.accepted, "rejected": report.rejected, "totals": report.totals}
        print(json.dumps({**facts, "reasons": report.reasons, "examples": report.examples}))
    else:
        say(f"{report.accepted:,} {done}, {report.rejected:,} refused.")
        for meter, total in sorted(report.totals.items()):
            say(f"  {meter}: {total:,.10g} in all")
        for reason, count in report.reasons.most_common():
            say(f"  {count:,} x {reason}, at byte")
            for example in report.examples[reason]:
                say(f"    {example}")
    raise typer.Exit(1 if report.rejected else 0)


def _bar() -> Progress:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, disable=not console.is_terminal)
