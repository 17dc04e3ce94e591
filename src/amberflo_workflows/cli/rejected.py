"""``metering rejected``: usage that was refused, and what to do with it."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from amberflo_workflows.cli.shared import Json, fail, get_deployment, reported_errors, say, with_progress

if TYPE_CHECKING:
    from amberflo_workflows.core.rejected_item import RejectedItem
    from amberflo_workflows.operate.rejected.table import RejectedTable

app = typer.Typer(no_args_is_help=True, help="Usage that was refused: list it, mend it, send it again, give it up.")

Ids = Annotated[list[str] | None, typer.Argument(help="Ids; or choose with the options.")]
Tenant = Annotated[str | None, typer.Option(help="Of this tenant.")]
Meter = Annotated[str | None, typer.Option(help="Of this meter.")]
Reason = Annotated[str | None, typer.Option(help="Refused for a reason that has this in it.")]
All = Annotated[bool, typer.Option("--all", help="All that is waiting.")]


@app.command("list")
def list_(
    context: typer.Context,
    *,
    tenant: Tenant = None,
    meter: Meter = None,
    reason: Reason = None,
    every: Annotated[bool, typer.Option("--all", help="Also what was redriven or dropped.")] = False,
    as_json: Json = False,
) -> None:
    """What waits, oldest first."""
    from amberflo_workflows.core.rejected_item import OPEN_STATUSES, STATUSES  # noqa: PLC0415 - slow to import
    from amberflo_workflows.operate.rejected.items import ItemFilter  # noqa: PLC0415 - slow to import

    with reported_errors():
        found = _table(context).find(ItemFilter(STATUSES if every else OPEN_STATUSES, tenant, meter, reason))
    if as_json:
        print(json.dumps([asdict(item) for item in found], indent=2))
        return
    for item in found:
        about = " ".join(part for part in (item.tenant_id, item.meter_api_name) if part)
        say(f"{item.id}  {item.rejected_at[:19]}  {item.status}  {about}")
        say(f"    {item.reason}")
    if not found:
        say("Nothing is waiting.")


@app.command()
def show(
    context: typer.Context,
    *,
    item_id: Annotated[str, typer.Argument(metavar="ID")],
) -> None:
    """One item whole, with its history, as JSON."""
    with reported_errors():
        (item,) = _table(context).get([item_id])
    print(json.dumps(asdict(item), indent=2))


@app.command()
def redrive(
    context: typer.Context,
    *,
    ids: Ids = None,
    tenant: Tenant = None,
    meter: Meter = None,
    reason: Reason = None,
    every: All = False,
    change: Annotated[
        list[str] | None, typer.Option("--set", help="Change a member first: NAME=VALUE, the value as JSON or text.")
    ] = None,
    usage: Annotated[str | None, typer.Option(help="Put this JSON object in the place of the usage first.")] = None,
) -> None:
    """Send usage again, as it is or mended; it keeps its identity, and counts once however often it is sent."""
    from amberflo_workflows.operate.rejected.redrive import redrive as send  # noqa: PLC0415 - slow to import

    changes = dict(_pair(text) for text in change or [])
    with reported_errors():
        table = _table(context)
        items = _chosen(table, ids, every=every, tenant=tenant, meter=meter, reason=reason)
        if changes or usage is not None:
            # All are looked at before the first is changed.
            mended = [(item, _mended(item, changes, usage)) for item in items]
            items = [table.edit(item, given) for item, given in mended]
        outcomes = list(with_progress(send(table.deployment, items), "Sending", len(items)))
    refused = [outcome.item for outcome in outcomes if not outcome.counted]
    say(f"{len(outcomes) - len(refused)} counted, {len(refused)} refused again.")
    for item in refused:
        say(f"    {item.id}  {item.reason}")
    raise typer.Exit(1 if refused else 0)


@app.command()
def drop(
    context: typer.Context,
    *,
    ids: Ids = None,
    tenant: Tenant = None,
    meter: Meter = None,
    reason: Reason = None,
    every: All = False,
    why: Annotated[str, typer.Option(help="Kept in its history.")] = "",
) -> None:
    """Give usage up: it will not be billed. It stays listed with --all."""
    with reported_errors():
        table = _table(context)
        items = _chosen(table, ids, every=every, tenant=tenant, meter=meter, reason=reason)
        for item in with_progress(items, "Dropping", len(items)):
            table.drop(item, why)
    say(f"{len(items)} dropped.")


def _table(context: typer.Context) -> "RejectedTable":
    from amberflo_workflows.operate.rejected.table import RejectedTable  # noqa: PLC0415 - slow to import

    return RejectedTable(get_deployment(context))


def _chosen(
    table: "RejectedTable", ids: Sequence[str] | None, *, every: bool, **what: str | None
) -> "list[RejectedItem]":
    """The items meant, by their ids or by what they are; never all of them by mistake."""
    from amberflo_workflows.core.rejected_item import OPEN_STATUSES  # noqa: PLC0415 - slow to import
    from amberflo_workflows.operate.rejected.items import ItemFilter  # noqa: PLC0415 - slow to import

    if bool(ids) == (every or any(what.values())):
        raise fail("say which: ids, or --tenant, --meter, --reason, or --all", 2)
    if ids:
        return list(table.get(dict.fromkeys(ids)))
    return table.find(ItemFilter(OPEN_STATUSES, **what))


def _pair(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise fail(f"--set takes NAME=VALUE, not '{text}'", 2)
    return name, _json(value)


def _mended(item: "RejectedItem", changes: dict[str, Any], usage: str | None) -> dict[str, Any]:
    if item.is_event:
        raise fail(f"{item.id} is an event, no usage: mend what sent it, and have it sent again; or drop it.")
    given = item.original["usage"] if usage is None else _json(usage)
    if not isinstance(given, dict):
        raise fail(f"{item.id} is no object that --set could change; give all of it with --usage", 2)
    return {**given, **changes}


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
