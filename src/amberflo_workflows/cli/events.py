"""``metering events``: usage, or any event, onto the event bus."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal
from uuid import uuid4

import typer

from amberflo_workflows.cli.shared import Json, fail, get_deployment, reported_errors, say, show_status

if TYPE_CHECKING:
    from amberflo_workflows.core.reported_usage import ReportedUsage
    from amberflo_workflows.operate.deployment import Deployment
    from amberflo_workflows.operate.usage_sender import SendReport

app = typer.Typer(no_args_is_help=True, help="Put usage, or any event, on the event bus.")

DETAIL_TYPES: Final = ("ingestUsage", "onboardingRequest", "offboardingRequest")
_PIECE_BYTES: Final = 1 << 16


@app.callback()
def main() -> None:
    """Keeps ``send`` a command of its own, though it is the only one."""


@app.command()
def send(
    context: typer.Context,
    *,
    file: Annotated[str | None, typer.Argument(metavar="FILE|-", help="Usages as CSV or NDJSON; .gz too.")] = None,
    detail: Annotated[str | None, typer.Option(metavar="JSON", help='A usage, or {"records": [usage…]}.')] = None,
    detail_type: Annotated[
        str | None,
        typer.Option("--type", help="Send --detail as one event of this type.", autocompletion=lambda: DETAIL_TYPES),
    ] = None,
    source: Annotated[str, typer.Option(help="The events' source; a stack may take only some.")] = "metering.cli",
    kind: Annotated[
        Literal["csv", "ndjson"] | None, typer.Option("--format", help="If the file's name does not tell.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Report usage by events, in batches; or with --type send one event as it is.

    What cannot be sent, though it is tried again, is printed, to be kept and sent again as it is.
    """
    if (file is None) == (detail is None):
        raise fail("say what to send: FILE, - for what is piped in, or --detail JSON", 2)
    if detail_type is not None and detail is None:
        raise fail("--type goes with --detail", 2)
    with reported_errors():
        if detail is not None and detail_type is not None:
            _send_event(get_deployment(context), detail_type, _parsed(detail), source, as_json)
            return
        usages = _of_detail(_parsed(detail)) if detail is not None else _of_file(file or "", kind)
        outcome = _send_usages(get_deployment(context), usages, source)
    _tell(outcome, as_json)
    raise typer.Exit(0 if outcome.is_good else 1)


def _parsed(detail: str) -> Any:
    try:
        found = json.loads(detail)
    except (ValueError, RecursionError) as error:
        raise fail(f"--detail is no JSON: {error}", 2) from None
    if not isinstance(found, dict):
        raise fail("--detail must be a JSON object", 2)
    return found


def _of_detail(detail: Any) -> "Iterable[ReportedUsage]":
    from amberflo_workflows.operate.usage_sender import detail_usages  # noqa: PLC0415 - slow to import

    try:
        return detail_usages(detail)
    except RecursionError:
        raise fail("--detail is nested too deep to be usage", 2) from None


def _of_file(file: str, kind: Literal["csv", "ndjson"] | None) -> "Iterable[ReportedUsage]":
    from amberflo_workflows.core.usage_file import InvalidFile, detect_format  # noqa: PLC0415 - slow to import
    from amberflo_workflows.operate.backfill.source import LocalFile  # noqa: PLC0415 - as above
    from amberflo_workflows.operate.usage_files import read_usages  # noqa: PLC0415 - as above

    try:
        if file == "-":
            # Another name each time: what is piped in is not known to be what was piped in before.
            return read_usages(_piped(), str(uuid4()), kind)
        source = LocalFile(Path(file))
        return read_usages(source.read(), source.file_name, kind or detect_format(source.file_name))
    except InvalidFile as error:
        raise fail(error) from None


def _piped() -> Iterator[bytes]:
    with open(0, "rb", closefd=False) as stream:
        while piece := stream.read1(_PIECE_BYTES):
            yield piece


def _send_usages(deployed: "Deployment", usages: "Iterable[ReportedUsage]", source: str) -> "SendReport":
    from amberflo_workflows.operate import usage_sender  # noqa: PLC0415 - slow to import

    client, bus = deployed.client("events"), deployed.outputs["EventBusName"]
    with show_status("Sending") as tell:
        return usage_sender.send_usages(
            usages, client, bus, source, lambda count: tell(f"Sending: {count:,} usages read")
        )


def _send_event(deployed: "Deployment", detail_type: str, detail: Any, source: str, as_json: bool) -> None:
    bus = deployed.outputs["EventBusName"]
    entry = {"EventBusName": bus, "Source": source, "DetailType": detail_type, "Detail": json.dumps(detail)}
    with show_status("Sending"):
        (result,) = deployed.client("events").put_events(Entries=[entry])["Entries"]
    if not result.get("EventId"):
        raise fail(f"the event was not taken: {result.get('ErrorCode')}: {result.get('ErrorMessage')}")
    if as_json:
        print(json.dumps({"eventId": result["EventId"], "detailType": detail_type}))
    else:
        say(f"The {detail_type} event {result['EventId']} is on the bus {bus}.")


def _tell(outcome: "SendReport", as_json: bool) -> None:
    if as_json:
        facts = {"sent": outcome.sent, "refused": outcome.refused, "notSent": outcome.not_sent}
        print(json.dumps({**facts, "error": outcome.error, "stopped": outcome.stopped}))
        return
    say(f"{outcome.sent:,} on the bus, {len(outcome.refused):,} refused.")
    for refusal in outcome.refused:
        say(f"    {refusal['id']}  {refusal['reason']}")
    if outcome.stopped:
        say(f"No more was read: {outcome.stopped}")
    if outcome.not_sent:
        say(f"{len(outcome.not_sent):,} could not be sent ({outcome.error}). Keep these lines, to be sent as they are:")
    for usage in outcome.not_sent:
        say(json.dumps(usage))
