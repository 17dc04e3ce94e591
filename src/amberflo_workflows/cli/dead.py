"""``metering dead``: usage and tenant events that could not be dealt with."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from amberflo_workflows.cli.shared import Json, fail, get_deployment, reported_errors, say, with_progress

if TYPE_CHECKING:
    from amberflo_workflows.operate.rejected.dead_letters import DeadEvent, DeadLetters

app = typer.Typer(no_args_is_help=True, help="Events that could not be dealt with: list, send again, give up.")

Ids = Annotated[list[str] | None, typer.Argument(help="Ids; or choose with the options.")]
Tenant = Annotated[str | None, typer.Option(help="About this tenant.")]
All = Annotated[bool, typer.Option("--all", help="All that is waiting.")]


@app.command("list")
def list_(
    context: typer.Context,
    *,
    tenant: Tenant = None,
    as_json: Json = False,
) -> None:
    """What waits. What was redriven or dropped is listed by: metering rejected list --all."""
    with _letters(context) as (_, found):
        events = [event for event in found if tenant is None or tenant in event.tenants]
    if as_json:
        print(json.dumps([_facts(event) for event in events], indent=2))
        return
    for event in events:
        say(f"{event.id}  {_moment(event)}  {_about(event)} of {', '.join(event.tenants) or 'nobody'}")
    if not events:
        say("Nothing is waiting.")


@app.command()
def show(
    context: typer.Context,
    *,
    event_id: Annotated[str, typer.Argument(metavar="ID")],
) -> None:
    """One event, as it came."""
    with _letters(context) as (_, found):
        (event,) = _chosen(found, [event_id], None, every=False)
    say(event.text)


@app.command()
def redrive(
    context: typer.Context,
    *,
    ids: Ids = None,
    tenant: Tenant = None,
    every: All = False,
) -> None:
    """Send events again as they are; usage keeps its identity, and counts once however often it comes."""
    with _letters(context) as (letters, found):
        _each(_chosen(found, ids, tenant, every=every), "Sending", letters.redrive, "are on their way again")


@app.command()
def drop(
    context: typer.Context,
    *,
    ids: Ids = None,
    tenant: Tenant = None,
    every: All = False,
    why: Annotated[str, typer.Option(help="Kept in its history.")] = "",
) -> None:
    """Give events up: their usage will not be billed. They stay listed by: metering rejected list --all."""
    with _letters(context) as (letters, found):
        _each(
            _chosen(found, ids, tenant, every=every), "Dropping", lambda event: letters.drop(event, why), "were dropped"
        )


@contextmanager
def _letters(context: typer.Context) -> "Iterator[tuple[DeadLetters, list[DeadEvent]]]":
    from amberflo_workflows.operate.rejected.dead_letters import DeadLetters  # noqa: PLC0415 - slow to import

    with reported_errors():
        letters = DeadLetters(get_deployment(context))
        with letters.looked_at() as found:
            yield letters, found


def _chosen(
    found: "Sequence[DeadEvent]", ids: Sequence[str] | None, tenant: str | None, *, every: bool
) -> "list[DeadEvent]":
    if bool(ids) == (every or tenant is not None):
        raise fail("say which: ids, or --tenant, or --all", 2)
    missing = set(ids or ()) - {event.id for event in found}
    if missing:
        raise fail(f"there is no dead event {min(missing)}; see: metering dead list")
    return [
        event for event in found if every or event.id in (ids or ()) or (tenant is not None and tenant in event.tenants)
    ]


def _each(events: "list[DeadEvent]", title: str, act: "Callable[[DeadEvent], None]", done: str) -> None:
    for event in with_progress(events, title, len(events)):
        act(event)
    say(f"{len(events)} events {done}.")


def _facts(event: "DeadEvent") -> dict[str, object]:
    about = {"type": event.detail_type, "usages": event.usages, "tenants": event.tenants}
    return {"id": event.id, "since": _moment(event), **about}


def _about(event: "DeadEvent") -> str:
    return event.detail_type if event.workflow else f"{len(event.usages)} usages"


def _moment(event: "DeadEvent") -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(event.sent_in_millis / 1000))
