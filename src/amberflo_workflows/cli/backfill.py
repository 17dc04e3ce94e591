"""``metering backfill``: count the usage in a file."""

from pathlib import Path
from typing import Annotated

import typer

from amberflo_workflows.cli.backfill_actions import check_file, send_from_here, send_on_aws, send_rejected_rows
from amberflo_workflows.cli.context import get_deployment, reported_errors
from amberflo_workflows.cli.options import FileFormat, Json
from amberflo_workflows.cli.output import fail, note
from amberflo_workflows.cli.waiting import INTERRUPTED_EXIT_CODE
from amberflo_workflows.core.file_encoding import InvalidFile
from amberflo_workflows.core.file_options import FileOptions, LongDimensions
from amberflo_workflows.core.usage_file import detect_format, read_layout
from amberflo_workflows.entrypoints.sending import ChunkNotSent
from amberflo_workflows.operate.backfill.source import LocalFile, S3File, UsageSource
from amberflo_workflows.operate.usage_members import parse_member

app = typer.Typer(add_completion=False)


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
                check_file(context, source, layout, as_json=as_json)
                return
            deployment = get_deployment(context)
            if only_refused:
                send_rejected_rows(deployment, source, layout, as_json=as_json)
            elif isinstance(source, S3File):
                send_on_aws(
                    context, deployment, source, options, as_json=as_json, after_cancellation=after_cancellation
                )
            else:
                send_from_here(
                    deployment, source, layout, restart=restart, as_json=as_json, after_cancellation=after_cancellation
                )
        except InvalidFile as error:
            raise fail(error) from None
        except ChunkNotSent as error:
            raise fail(f"{error} Fix the cause and repeat the command; it resumes where it stopped.") from None
        except KeyboardInterrupt:
            note(f"Interrupted. {_advise_after_interruption(dry_run=dry_run, only_refused=only_refused)}")
            raise typer.Exit(INTERRUPTED_EXIT_CODE) from None


def _advise_after_interruption(*, dry_run: bool, only_refused: bool) -> str:
    if dry_run:
        return "Nothing was sent."
    if only_refused:
        return "Repeat the command; it sends what is still rejected."
    return "Repeat the command; it resumes where it stopped, and counts nothing twice."


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
