"""``metering replay``: send usage of the ledger to Amberflo again."""

import json
import time
from typing import Annotated, Any

import typer

from amberflo_workflows.cli.backfill_report import build_progress_bar
from amberflo_workflows.cli.context import get_api_client, get_command_prefix, get_deployment, reported_errors
from amberflo_workflows.cli.options import HoursEnd, Json, Yes, parse_hours, reject_empty
from amberflo_workflows.cli.output import confirm, fail, say
from amberflo_workflows.cli.waiting import report_interruption
from amberflo_workflows.operate.started_operation import StartedOperation

app = typer.Typer(add_completion=False)


@app.command()
def replay(
    context: typer.Context,
    *,
    start: Annotated[
        str | None,
        typer.Option("--from", help="Start: ISO 8601, epoch seconds, or a time ago like 7d. In full hours."),
    ] = None,
    end: HoursEnd = None,
    meter: Annotated[str | None, typer.Option(callback=reject_empty, help="Only this meter: its id or name.")] = None,
    tenant: Annotated[str | None, typer.Option(callback=reject_empty, help="Only this tenant.")] = None,
    reconciliation: Annotated[
        str | None,
        typer.Option(callback=reject_empty, help="Only the hours that this reconciliation calls missing."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count the usage.")] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Send usage of the ledger to Amberflo again; what Amberflo has already counts once.

    Cancelled usage, and usage of more than 60 days ago, is not sent.
    """
    if as_json and not (yes or dry_run):
        raise fail("--json requires --yes or --dry-run, because it does not ask for confirmation", 2)
    request = _build_request(start, end, tenant, reconciliation, meter)
    if meter:
        with reported_errors():
            request["meterApiName"] = get_api_client(context).get_meter(meter)["meterApiName"]
    send_again(context, request, dry_run=dry_run, yes=yes, as_json=as_json)


def send_again(context: typer.Context, request: dict[str, Any], *, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Run a replay, after a dry run and a question unless ``yes`` is set. Ends the command."""
    with reported_errors():
        if dry_run or not yes:
            result = _run(context, {**request, "dryRun": True}, title="Reading the ledger")
            if dry_run:
                _show(result, as_json=as_json)
                return
            _show(result, as_json=False)
            if not result["sent"]:
                return
            confirm(f"Send these {result['sent']:,} usages to Amberflo again?", yes)
        result = _run(context, request, title="Sending", announce=not as_json)
    _show(result, as_json=as_json)
    if not as_json and result["rejected"]:
        say(f"See: {get_command_prefix(context)} rejected list")
    raise typer.Exit(1 if result["rejected"] else 0)


def _build_request(
    start: str | None, end: str | None, tenant: str | None, reconciliation: str | None, meter: str | None
) -> dict[str, Any]:
    if reconciliation is not None:
        if any(option is not None for option in (start, end, tenant, meter)):
            raise fail("--reconciliation names the usage already; omit --from, --to, --meter and --tenant", 2)
        return {"reconciliation": reconciliation}
    if start is None:
        raise fail("set --from, or --reconciliation", 2)
    first, last = parse_hours(start, end, int(time.time()))
    request: dict[str, Any] = {"startTimeInSeconds": first, "endTimeInSeconds": last}
    return request | ({"tenantId": tenant} if tenant is not None else {})


def _run(context: typer.Context, request: dict[str, Any], *, title: str, announce: bool = False) -> dict[str, Any]:
    """Run a replay to its end. If it is interrupted, the execution goes on."""
    operation = StartedOperation.start(
        get_api_client(context), get_deployment(context), "replay_usage", "replays", request
    )
    try:
        if announce:
            say(f"Started replay {operation.id}")
        with build_progress_bar() as bar:
            task = bar.add_task(title, total=None)
            for progress in operation.follow():
                bar.update(task, completed=progress.done, total=progress.total)
            bar.update(task, completed=1, total=1)
        return {"id": operation.id, "execution": operation.arn, **operation.read_result()}
    except KeyboardInterrupt:
        raise report_interruption(context, operation.arn) from None


def _show(result: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(result))
        return
    left_out = f"{result['cancelled']:,} are cancelled, {result['tooOld']:,} are older than 60 days"
    if result["dryRun"]:
        say(f"{result['sent']:,} usages to send; {left_out}.")
    else:
        say(f"{result['sent']:,} usages sent and accepted, {result['rejected']:,} rejected; {left_out}.")
