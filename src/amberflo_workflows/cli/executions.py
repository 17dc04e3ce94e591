"""``metering executions``: what the workflows did, and do."""

import time
from collections.abc import Iterable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

import typer
from rich.live import Live
from rich.text import Text

from amberflo_workflows.cli import execution_views as views
from amberflo_workflows.cli.context import get_command_prefix, get_deployment, reported_errors
from amberflo_workflows.cli.execution_start import ended, last, print_json, start_execution, tell_end
from amberflo_workflows.cli.options import Json, parse_time_option
from amberflo_workflows.cli.output import console, escape_control, fail, note, say, show_status, show_table
from amberflo_workflows.operate.executions.executions import Executions
from amberflo_workflows.operate.executions.graph import Graph, Node
from amberflo_workflows.operate.executions.model import Execution, Status, iterate_state_runs
from amberflo_workflows.operate.executions.reader import Page, Query

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="List, show, follow and start executions of the workflows."
)

_MOST_PREVIEWED: Final = 60
Wanted = Annotated[str, typer.Argument(metavar="EXECUTION", help="Its ARN, its name, or how its name begins.")]
Since = Annotated[str | None, typer.Option(help="Started since: 1h, 2d, or a time in ISO 8601.")]
Until = Annotated[str | None, typer.Option(help="Started before.")]


@app.command("list")
def list_(
    context: typer.Context,
    *,
    workflow: Annotated[str | None, typer.Option(help="Of this workflow.")] = None,
    status: Annotated[
        Literal["failed", "succeeded", "running", "timed-out", "aborted"] | None, typer.Option(help="That is so.")
    ] = None,
    since: Since = None,
    until: Until = None,
    contains: Annotated[str, typer.Option(help="With this text in the input.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="So many at most.")] = 20,
    as_json: Json = False,
) -> None:
    """Executions, newest first. Of express workflows on AWS: of the last day, unless --since says otherwise."""
    query = Query(
        workflow=workflow,
        status=Status(status) if status else None,
        since=_when("--since", since),
        until=_when("--until", until),
        text=contains,
        limit=limit,
    )
    with reported_errors(), show_status("Looking"):
        page = _executions(context).list_page(query)
    if as_json:
        print_json([{"name": summary.name, **asdict(summary)} for summary in page.summaries])
    elif page.summaries or page.next_token:
        _show_page(context, page)
    else:
        say("There are none.")


@app.command()
def show(
    context: typer.Context,
    *,
    wanted: Wanted,
    state: Annotated[str | None, typer.Option(help="One state in full, with what its task logged.")] = None,
    iteration: Annotated[
        int | None, typer.Option(min=0, help="One item of a Map; --state says of which, or which state in it.")
    ] = None,
    as_json: Json = False,
) -> None:
    """What happened in an execution: the states, the tries, the waits between them."""
    with reported_errors(), show_status("Reading"):
        executions = _executions(context)
        execution = executions.get(executions.resolve_arn(wanted))
        graph = executions.get_graph(execution)
        node = _node(graph, state) if state is not None else None
        if iteration is not None:
            the_map = _map(execution, graph, node)
            execution = executions.open_iteration(execution, the_map.name, iteration)
            graph, node = the_map.subgraphs[0], None if node is the_map else node
        passages = [one for one in iterate_state_runs(execution.states) if node and one.name == node.name]
        lines = executions.read_state_log_lines(execution, node.resource, passages) if node else []
    if as_json:
        print_json({"states": passages, "log_lines": lines} if node else _facts(execution))
    elif node:
        _say_all(views.state_lines(node.name, passages, lines))
    else:
        _say_all(views.header(execution))
        _say_all(["", *views.graph_lines(graph, execution.states)])
        _say_all(["", *views.timeline(execution)])


@app.command()
def follow(context: typer.Context, *, wanted: Wanted, as_json: Json = False) -> None:
    """Watch an execution until it ends; fails if it failed."""
    with reported_errors():
        executions = _executions(context)
        arn = executions.resolve_arn(wanted)
        if as_json:
            execution = last(executions.follow(arn))
        elif console.is_terminal:
            execution = _watched(executions, arn)
        else:
            execution = _told_line_by_line(executions.follow(arn))
    tell_end(context, ended(execution), execution.summary.workflow, as_json)


app.command("start")(start_execution)


def _executions(context: typer.Context) -> Executions:
    return Executions(get_deployment(context))


def _when(option: str, text: str | None) -> datetime | None:
    return None if text is None else datetime.fromtimestamp(parse_time_option(option, text, int(time.time())), UTC)


def _show_page(context: typer.Context, page: Page) -> None:
    names = views.short_names(page.summaries)
    show_table(
        ("execution", "workflow", "outcome", "started", "lasted", "input"),
        [
            (
                name,
                summary.workflow,
                views.outcome(summary.status),
                views.moment(summary.started),
                views.duration(summary.started, summary.stopped),
                summary.input_preview[:_MOST_PREVIEWED],
            )
            for name, summary in zip(names, page.summaries, strict=True)
        ],
        numbers=("lasted",),
    )
    if page.next_token:
        # To the second and rounded up: better that some are listed twice than that some are left out.
        until = datetime.fromtimestamp(int(page.next_token.split(maxsplit=1)[0]) // 1000 + 1, UTC)
        note(f"There may be more; see: {get_command_prefix(context)} executions list --until {views.moment(until)}")


def _node(graph: Graph, name: str) -> Node:
    found = next((node for node in graph.all_nodes() if node.name == name), None)
    if found is None:
        names = ", ".join(node.name for node in graph.all_nodes())
        raise fail(f"there is no state '{name}'; there are {names}", 2)
    return found


def _map(execution: Execution, graph: Graph, node: Node | None) -> Node:
    """The Map that is meant: it, or the one around a state, or the only one that was gone through."""
    gone_through = {state.name for state in execution.states if state.map}
    maps = [one for one in graph.nodes if one.kind == "Map" and (node or one.name in gone_through)]
    found = [one for one in maps if node in {None, one} or node in one.subgraphs[0].all_nodes()]
    if len(found) != 1:
        names = ", ".join(sorted(gone_through)) or "none"
        raise fail(f"say of which Map with --state; the execution went through {names}", 2)
    return found[0]


def _watched(executions: Executions, arn: str) -> Execution:
    """Drawn anew as it goes on; without the graph, which may be higher than the terminal."""
    with Live(console=console, auto_refresh=False) as live:
        for execution in executions.follow(arn):
            lines = [*views.header(execution), "", *views.timeline(execution)]
            live.update(Text("\n".join(escape_control(line) for line in lines), no_wrap=True), refresh=True)
    return execution


def _told_line_by_line(steps: Iterable[Execution]) -> Execution:
    known: set[int] = set()
    for execution in steps:
        news = [views.news(event) for event in execution.events if event.id not in known]
        known |= {event.id for event in execution.events}
        _say_all(line for line in news if line)
    return execution


def _facts(execution: Execution) -> dict[str, Any]:
    whole = asdict(replace(execution, events=()))
    del whole["events"]
    return {"name": execution.summary.name, **whole.pop("summary"), **whole}


def _say_all(lines: Iterable[str]) -> None:
    for line in lines:
        say(line)
