"""``metering events``: send usage or other events to the event bus."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from uuid import uuid4

import typer

from amberflo_workflows.cli.context import get_deployment, reported_errors
from amberflo_workflows.cli.options import FileFormat, Json
from amberflo_workflows.cli.output import fail, say, show_status
from amberflo_workflows.core.file_encoding import InvalidFile, decode
from amberflo_workflows.core.reported_usage import ReportedUsage
from amberflo_workflows.core.usage_file import detect_format
from amberflo_workflows.operate import usage_sender
from amberflo_workflows.operate.backfill.source import LocalFile
from amberflo_workflows.operate.deployment import Deployment
from amberflo_workflows.operate.usage_files import read_usages
from amberflo_workflows.operate.usage_sender import SendReport, extract_detail_usages

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Send usage or other events to the event bus.")

DETAIL_TYPES: Final = ("ingestUsage", "onboardingRequest", "offboardingRequest")
_READ_BYTES: Final = 1 << 16


@app.callback()
def main() -> None:
    """With a callback, Typer keeps ``send`` a subcommand although it is the only one."""


@app.command()
def send(
    context: typer.Context,
    *,
    file: Annotated[str | None, typer.Argument(metavar="FILE|-", help="Usages as CSV or NDJSON, also .gz.")] = None,
    detail: Annotated[str | None, typer.Option(metavar="JSON", help='A usage, or {"records": [USAGE, ...]}.')] = None,
    detail_type: Annotated[
        str | None,
        typer.Option("--type", help="Send --detail as one event of this type.", autocompletion=lambda: DETAIL_TYPES),
    ] = None,
    source: Annotated[
        str, typer.Option(help="The events' source; the stack may accept certain sources only.")
    ] = "metering.cli",
    file_format: FileFormat = None,
    as_json: Json = False,
) -> None:
    """Send usage as events, in batches, or with --type one event as it is.

    Usages that cannot be sent, after retries, are printed: save these lines to send them later.
    """
    if (file is None) == (detail is None):
        raise fail("FILE, - for the standard input, or --detail JSON is required", 2)
    if detail_type is not None and detail is None:
        raise fail("--type requires --detail", 2)
    with reported_errors():
        if detail is not None and detail_type is not None:
            _send_event(get_deployment(context), detail_type, _parse_detail(detail), source, as_json)
            return
        usages = _read_detail(_parse_detail(detail)) if detail is not None else _read_file(file or "", file_format)
        report = _send_usages(get_deployment(context), usages, source)
    _show_report(report, as_json)
    raise typer.Exit(0 if report.is_complete else 1)


def _parse_detail(text: str) -> Any:
    try:
        detail = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise fail(f"--detail is not valid JSON: {error}", 2) from None
    if not isinstance(detail, dict):
        raise fail("--detail must be a JSON object", 2)
    return detail


def _read_detail(detail: Any) -> Iterable[ReportedUsage]:
    try:
        return extract_detail_usages(detail)
    except RecursionError:
        raise fail("--detail is nested too deeply", 2) from None


def _read_file(file: str, file_format: Literal["csv", "ndjson"] | None) -> Iterable[ReportedUsage]:
    try:
        if file == "-":
            # A new name each time, so that the same text in a later run is new usage.
            return read_usages(decode(_read_stdin(), "The standard input"), str(uuid4()), file_format)
        source = LocalFile(Path(file))
        return read_usages(source.read(), "", file_format or detect_format(source.file_name))
    except InvalidFile as error:
        raise fail(error) from None


def _read_stdin() -> Iterator[bytes]:
    with open(0, "rb", closefd=False) as stream:
        while data := stream.read1(_READ_BYTES):
            yield data


def _send_usages(deployment: Deployment, usages: Iterable[ReportedUsage], source: str) -> SendReport:
    client, bus = deployment.client("events"), deployment.outputs["EventBusName"]
    with show_status("Sending") as report:
        return usage_sender.send_usages(
            usages, client, bus, source, lambda count: report(f"Sending: {count:,} usages read")
        )


def _send_event(deployment: Deployment, detail_type: str, detail: Any, source: str, as_json: bool) -> None:
    bus = deployment.outputs["EventBusName"]
    entry = {"EventBusName": bus, "Source": source, "DetailType": detail_type, "Detail": json.dumps(detail)}
    with show_status("Sending"):
        (result,) = deployment.client("events").put_events(Entries=[entry])["Entries"]
    if not result.get("EventId"):
        raise fail(f"EventBridge rejected the event: {result.get('ErrorCode')}: {result.get('ErrorMessage')}")
    if as_json:
        print(json.dumps({"eventId": result["EventId"], "detailType": detail_type}))
    else:
        say(f"Sent the {detail_type} event {result['EventId']} to the bus {bus}.")


def _show_report(report: SendReport, as_json: bool) -> None:
    if as_json:
        counts = {"sent": report.sent, "refused": report.rejected, "notSent": report.not_sent}
        print(json.dumps({**counts, "error": report.error, "stopped": report.stopped}))
        return
    say(f"{report.sent:,} sent, {len(report.rejected):,} invalid.")
    for invalid in report.rejected:
        say(f"    {invalid['id']}  {invalid['reason']}")
    if report.stopped:
        say(f"The rest of the file was not read: {report.stopped}")
    if report.not_sent:
        say(f"{len(report.not_sent):,} could not be sent ({report.error}). Save these lines to send them later:")
    for usage in report.not_sent:
        say(json.dumps(usage))
