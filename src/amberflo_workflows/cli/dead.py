"""``metering dead``: usage and tenant events in the dead-letter queues."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated

import typer

from amberflo_workflows.cli.context import get_command_prefix, get_deployment, reported_errors
from amberflo_workflows.cli.options import Json, Yes, reject_empty
from amberflo_workflows.cli.output import confirm, fail, require_yes, say, with_progress
from amberflo_workflows.core.canonical import normalize_text
from amberflo_workflows.operate.rejected.dead_causes import find_failed_attempts
from amberflo_workflows.operate.rejected.dead_letters import DeadEvent, DeadLetters

app = typer.Typer(no_args_is_help=True, add_completion=False, help="List, explain, redrive and drop dead events.")

Ids = Annotated[list[str] | None, typer.Argument(help="Ids of events. Default: select with the options.")]
Tenant = Annotated[str | None, typer.Option(callback=reject_empty, help="Only events of this tenant.")]
All = Annotated[bool, typer.Option("--all", help="All waiting events.")]


@app.command("list")
def list_(
    context: typer.Context,
    *,
    tenant: Tenant = None,
    as_json: Json = False,
) -> None:
    """List the waiting events. Redriven and dropped ones are in: metering rejected list --all."""
    with _open_letters(context) as (_, waiting):
        events = [event for event in waiting if tenant is None or normalize_text(tenant) in event.tenants]
    if as_json:
        print(json.dumps([_build_facts(event) for event in events], indent=2))
        return
    for event in events:
        say(f"{event.id}  {_format_time(event)}  {_summarize(event)} of {', '.join(event.tenants) or 'no tenant'}")
    if not events:
        say("No dead event is waiting.")


@app.command()
def show(
    context: typer.Context,
    *,
    event_id: Annotated[str, typer.Argument(metavar="ID")],
) -> None:
    """Print an event as it was received."""
    with _open_letters(context) as (_, waiting):
        (event,) = _select(waiting, [event_id], None, select_all=False)
    say(event.text)


@app.command()
def explain(
    context: typer.Context,
    *,
    event_id: Annotated[str, typer.Argument(metavar="ID")],
    as_json: Json = False,
) -> None:
    """Show why an event is here: the failed attempts to process it, oldest first."""
    with _open_letters(context) as (letters, waiting):
        (event,) = _select(waiting, [event_id], None, select_all=False)
        attempts = find_failed_attempts(letters.deployment, event)
    if as_json:
        facts = [{**attempt._asdict(), "at": _format_datetime(attempt.at)} for attempt in attempts]
        print(json.dumps(facts, indent=2))
        return
    for attempt in attempts:
        say(f"{_format_datetime(attempt.at)}  {attempt.reason}")
        if attempt.execution_arn:
            say(f"    {get_command_prefix(context)} executions show {attempt.execution_arn}")
    if not attempts:
        say("No attempt to process it is known. Logs are kept for a limited time, and events may be sent here by hand.")


@app.command()
def redrive(
    context: typer.Context,
    *,
    ids: Ids = None,
    tenant: Tenant = None,
    select_all: All = False,
    as_json: Json = False,
) -> None:
    """Send events again, as they are. Usage keeps its identity, so that it counts only once."""
    with _open_letters(context) as (letters, waiting):
        events = _select(waiting, ids, tenant, select_all=select_all)
        _process_each(events, "Sending", letters.redrive, "redriven", as_json=as_json)


@app.command()
def drop(
    context: typer.Context,
    *,
    ids: Ids = None,
    tenant: Tenant = None,
    select_all: All = False,
    why: Annotated[str, typer.Option(help="A note for the event's history.")] = "",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Drop events, which are then not sent again. They remain in: metering rejected list --all."""
    require_yes(as_json=as_json, yes=yes)
    with _open_letters(context) as (letters, waiting):
        events = _select(waiting, ids, tenant, select_all=select_all)
        if events:
            confirm(f"Drop {len(events):,} dead events? They are then not sent again. This cannot be undone.", yes)
        _process_each(events, "Dropping", lambda event: letters.drop(event, why), "dropped", as_json=as_json)


@contextmanager
def _open_letters(context: typer.Context) -> Iterator[tuple[DeadLetters, list[DeadEvent]]]:
    with reported_errors():
        letters = DeadLetters(get_deployment(context))
        with letters.receive() as events:
            yield letters, events


def _select(
    events: Sequence[DeadEvent], ids: Sequence[str] | None, tenant: str | None, *, select_all: bool
) -> list[DeadEvent]:
    if bool(ids) == (select_all or tenant is not None):
        raise fail("select events: by ids, or with --tenant or --all", 2)
    missing = set(ids or ()) - {event.id for event in events}
    if missing:
        raise fail(f"no dead event has the id {min(missing)}; see: metering dead list")
    return [
        event
        for event in events
        if select_all or event.id in (ids or ()) or (tenant is not None and normalize_text(tenant) in event.tenants)
    ]


def _process_each(
    events: list[DeadEvent], title: str, process: Callable[[DeadEvent], None], verb: str, *, as_json: bool
) -> None:
    for event in with_progress(events, title, len(events)):
        process(event)
    if as_json:
        print(json.dumps({verb: [event.id for event in events]}))
    else:
        say(f"{len(events)} {verb}.")


def _build_facts(event: DeadEvent) -> dict[str, object]:
    content = {"type": event.detail_type, "usages": event.usages, "tenants": event.tenants}
    return {"id": event.id, "since": _format_time(event), **content}


def _summarize(event: DeadEvent) -> str:
    return event.detail_type if event.workflow else f"{len(event.usages)} usages"


def _format_time(event: DeadEvent) -> str:
    return _format_datetime(datetime.fromtimestamp(event.sent_in_millis / 1000, UTC))


def _format_datetime(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
