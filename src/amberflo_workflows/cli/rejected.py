"""``metering rejected``: usage that was rejected; fix it, redrive it or drop it."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from amberflo_workflows.cli.context import get_deployment, reported_errors
from amberflo_workflows.cli.csv_output import Csv, print_csv, reject_two_formats
from amberflo_workflows.cli.options import Json, Yes, reject_empty
from amberflo_workflows.cli.output import confirm, fail, require_yes, say, with_progress
from amberflo_workflows.core.rejected_item import OPEN_STATUSES, STATUSES, RejectedItem
from amberflo_workflows.operate.rejected.export import COLUMNS, build_rows
from amberflo_workflows.operate.rejected.item_filter import ItemFilter
from amberflo_workflows.operate.rejected.redrive import redrive as redrive_items
from amberflo_workflows.operate.rejected.table import RejectedTable
from amberflo_workflows.operate.usage_members import parse_member

app = typer.Typer(no_args_is_help=True, add_completion=False, help="List, fix, redrive and drop rejected usage.")

Ids = Annotated[list[str] | None, typer.Argument(help="Ids of items. Default: select with the options.")]
Tenant = Annotated[str | None, typer.Option(callback=reject_empty, help="Only items of this tenant.")]
Meter = Annotated[str | None, typer.Option(callback=reject_empty, help="Only items of this meter.")]
Reason = Annotated[str | None, typer.Option(callback=reject_empty, help="Only items whose reason contains this text.")]
All = Annotated[bool, typer.Option("--all", help="All waiting items.")]


@app.command("list")
def list_(
    context: typer.Context,
    *,
    tenant: Tenant = None,
    meter: Meter = None,
    reason: Reason = None,
    include_closed: Annotated[bool, typer.Option("--all", help="Also list redriven and dropped items.")] = False,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """List the waiting items, oldest first."""
    reject_two_formats(as_json, as_csv)
    with reported_errors():
        statuses = STATUSES if include_closed else OPEN_STATUSES
        items = RejectedTable(get_deployment(context)).list_items(ItemFilter(statuses, tenant, meter, reason))
    if as_json:
        print(json.dumps([asdict(item) for item in items], indent=2))
        return
    if as_csv:
        print_csv(COLUMNS, build_rows(items))
        return
    for item in items:
        subject = " ".join(part for part in (item.tenant_id, item.meter_api_name) if part)
        say(f"{item.id}  {item.rejected_at[:19]}  {item.status}  {subject}")
        say(f"    {item.reason}")
    if not items:
        say("No rejected usage is waiting.")


@app.command()
def reasons(
    context: typer.Context,
    *,
    tenant: Tenant = None,
    meter: Meter = None,
    reason: Reason = None,
    as_json: Json = False,
) -> None:
    """Count the waiting items by reason. Fix them together with: redrive --reason TEXT --set NAME=VALUE."""
    with reported_errors():
        groups = RejectedTable(get_deployment(context)).list_reasons(ItemFilter(OPEN_STATUSES, tenant, meter, reason))
    if as_json:
        print(json.dumps([group._asdict() for group in groups], indent=2))
        return
    for group in groups:
        say(f"{group.usages:>7,}  {group.reason}")
        say(f"         tenants: {len(group.tenants):,}, meters: {len(group.meters):,}, last: {group.last[:19]}")
    if not groups:
        say("No rejected usage is waiting.")


@app.command()
def show(
    context: typer.Context,
    *,
    item_id: Annotated[str, typer.Argument(metavar="ID")],
) -> None:
    """Print an item with its history, as JSON."""
    with reported_errors():
        (item,) = RejectedTable(get_deployment(context)).get([item_id])
    print(json.dumps(asdict(item), indent=2))


@app.command()
def redrive(
    context: typer.Context,
    *,
    ids: Ids = None,
    tenant: Tenant = None,
    meter: Meter = None,
    reason: Reason = None,
    select_all: All = False,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", help="NAME=VALUE: change a member before sending; a dimension is text."),
    ] = None,
    usage: Annotated[str | None, typer.Option(help="Replace the usage by this JSON object before sending.")] = None,
    as_json: Json = False,
) -> None:
    """Send usage again, as it is or fixed. It keeps its identity, so that it counts only once."""
    new_members = dict(_parse_pair(text) for text in changes or [])
    with reported_errors():
        table = RejectedTable(get_deployment(context))
        items = _select(table, ids, select_all=select_all, tenant=tenant, meter=meter, reason=reason)
        if new_members or usage is not None:
            # All items are checked before the first one is changed.
            fixed = [(item, _fix(item, new_members, usage)) for item in items]
            items = [table.edit(item, fixed_usage) for item, fixed_usage in fixed]
        outcomes = list(with_progress(redrive_items(table.deployment, items), "Sending", len(items)))
    rejected = [outcome.item for outcome in outcomes if not outcome.counted]
    if as_json:
        items_left = [{"id": item.id, "reason": item.reason} for item in rejected]
        print(json.dumps({"counted": len(outcomes) - len(rejected), "rejected": items_left}))
    else:
        say(f"{len(outcomes) - len(rejected)} counted, {len(rejected)} rejected again.")
        for item in rejected:
            say(f"    {item.id}  {item.reason}")
    raise typer.Exit(1 if rejected else 0)


@app.command()
def drop(
    context: typer.Context,
    *,
    ids: Ids = None,
    tenant: Tenant = None,
    meter: Meter = None,
    reason: Reason = None,
    select_all: All = False,
    why: Annotated[str, typer.Option(help="A note for the item's history.")] = "",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Drop usage, which is then never billed. It remains in the list with --all."""
    require_yes(as_json=as_json, yes=yes)
    with reported_errors():
        table = RejectedTable(get_deployment(context))
        items = _select(table, ids, select_all=select_all, tenant=tenant, meter=meter, reason=reason)
        if items:
            confirm(f"Drop {len(items):,} rejected usages? They are then never billed. This cannot be undone.", yes)
        for item in with_progress(items, "Dropping", len(items)):
            table.drop(item, why)
    if as_json:
        print(json.dumps({"dropped": [item.id for item in items]}))
    else:
        say(f"{len(items)} dropped.")


def _select(
    table: RejectedTable, ids: Sequence[str] | None, *, select_all: bool, **criteria: str | None
) -> list[RejectedItem]:
    """Select items by their ids or by criteria. All of them need an explicit option."""
    if bool(ids) == (select_all or any(criteria.values())):
        raise fail("select items: by ids, or with --tenant, --meter, --reason or --all", 2)
    if ids:
        return list(table.get(dict.fromkeys(ids)))
    return table.list_items(ItemFilter(OPEN_STATUSES, **criteria))


def _parse_pair(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise fail(f"--set must be NAME=VALUE, not '{text}'", 2)
    return name, parse_member(name, value)


def _fix(item: RejectedItem, new_members: dict[str, Any], new_usage: str | None) -> dict[str, Any]:
    if item.is_event:
        raise fail(f"{item.id} is an event, not a usage. Fix its sender and have it sent again, or drop it.")
    usage = item.original["usage"] if new_usage is None else _parse_json(new_usage)
    if not isinstance(usage, dict):
        raise fail(f"{item.id} is not a JSON object, so --set cannot change it; replace it with --usage", 2)
    return {**usage, **new_members}


def _parse_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
