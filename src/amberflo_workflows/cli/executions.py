"""``metering executions``: list, show, follow, start, stop and redrive executions of the workflows."""

from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Annotated, Any

import typer
from rich.live import Live
from rich.text import Text

from amberflo_workflows.cli import execution_text
from amberflo_workflows.cli.completion import complete_execution
from amberflo_workflows.cli.context import get_deployment, reported_errors
from amberflo_workflows.cli.csv_output import Csv, print_csv, reject_two_formats
from amberflo_workflows.cli.execution_control import redrive_execution, stop_execution
from amberflo_workflows.cli.execution_list import list_executions
from amberflo_workflows.cli.execution_result import build_result, print_json, show_result, wait_until_ended
from amberflo_workflows.cli.execution_start import start_execution
from amberflo_workflows.cli.options import Json
from amberflo_workflows.cli.output import console, escape_control, fail, say, show_status
from amberflo_workflows.operate.executions.executions import Executions
from amberflo_workflows.operate.executions.export import EVENT_COLUMNS, build_event_row, flatten_event_row
from amberflo_workflows.operate.executions.graph import Graph, Node
from amberflo_workflows.operate.executions.model import Execution, iterate_state_runs

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="List, show, follow, start, stop and redrive executions of the workflows.",
)

ExecutionName = Annotated[
    str,
    typer.Argument(
        metavar="EXECUTION",
        help="The execution's ARN, its name, or the beginning of its name.",
        autocompletion=complete_execution,
    ),
]


app.command("list")(list_executions)


@app.command()
def show(
    context: typer.Context,
    *,
    name: ExecutionName,
    state: Annotated[str | None, typer.Option(help="Show this state in full, with the logs of its task.")] = None,
    iteration: Annotated[
        int | None, typer.Option(min=0, help="Show this item of a Map. --state selects the Map, or a state in it.")
    ] = None,
    history: Annotated[bool, typer.Option("--history", help="Show its events, with all their details.")] = False,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Show an execution: its states, their attempts, and the waits between attempts."""
    reject_two_formats(as_json, as_csv)
    if history and (state is not None or iteration is not None):
        raise fail("use --history without --state and --iteration", 2)
    if as_csv and not history:
        raise fail("--csv requires --history", 2)
    with reported_errors(), show_status("Reading"):
        executions = Executions(get_deployment(context))
        execution = executions.get(executions.resolve_arn(name))
        graph = executions.get_graph(execution)
        node = _get_node(graph, state) if state is not None else None
        if iteration is not None:
            map_node = _get_map(execution, graph, node)
            execution = executions.open_iteration(execution, map_node.name, iteration)
            graph, node = map_node.subgraphs[0], None if node is map_node else node
        runs = [run for run in iterate_state_runs(execution.states) if node and run.name == node.name]
        lines = executions.read_state_log_lines(execution, node.resource, runs) if node else []
    if history:
        _show_history(execution, as_json=as_json, as_csv=as_csv)
    elif as_json:
        print_json({"states": runs, "log_lines": lines} if node else _build_facts(execution))
    elif node:
        _say_all(execution_text.render_state(node.name, runs, lines))
    else:
        _say_all(execution_text.render_header(execution))
        _say_all(["", *execution_text.render_graph(graph, execution.states)])
        _say_all(["", *execution_text.render_timeline(execution)])


@app.command()
def follow(context: typer.Context, *, name: ExecutionName, as_json: Json = False) -> None:
    """Watch an execution until it ends. The exit code is 1 if it failed."""
    with reported_errors():
        executions = Executions(get_deployment(context))
        arn = executions.resolve_arn(name)
        if as_json:
            execution = wait_until_ended(executions.follow(arn))
        elif console.is_terminal:
            execution = _follow_on_terminal(executions, arn)
        else:
            execution = _follow_line_by_line(executions.follow(arn))
    show_result(context, build_result(execution), execution.summary.workflow, as_json)


app.command("start")(start_execution)
app.command("stop")(stop_execution)
app.command("redrive")(redrive_execution)


def _show_history(execution: Execution, *, as_json: bool, as_csv: bool) -> None:
    rows = map(build_event_row, execution.events)
    if as_json:
        print_json(list(rows))
    elif as_csv:
        print_csv(EVENT_COLUMNS, map(flatten_event_row, rows))
    else:
        _say_all(f"{row['id']:>5}  {row['at']}  {row['type']}  {flatten_event_row(row)['details']}" for row in rows)


def _get_node(graph: Graph, name: str) -> Node:
    node = next((node for node in graph.all_nodes() if node.name == name), None)
    if node is None:
        names = ", ".join(node.name for node in graph.all_nodes())
        raise fail(f"state '{name}' was not found; the states are {names}", 2)
    return node


def _get_map(execution: Execution, graph: Graph, node: Node | None) -> Node:
    """Return the Map that ``node`` is or is in. Without a ``node``, return the only Map that the execution entered."""
    entered = {state.name for state in execution.states if state.map}
    maps = [candidate for candidate in graph.nodes if candidate.kind == "Map" and (node or candidate.name in entered)]
    if node:
        maps = [candidate for candidate in maps if node == candidate or node in candidate.subgraphs[0].all_nodes()]
    if len(maps) != 1:
        names = ", ".join(sorted(entered)) or "none"
        raise fail(f"--iteration requires --state with the name of a Map; the execution entered {names}", 2)
    return maps[0]


def _follow_on_terminal(executions: Executions, arn: str) -> Execution:
    """Redraw the timeline until the end; without the graph, which may be higher than the terminal."""
    with Live(console=console, auto_refresh=False) as live:
        for execution in executions.follow(arn):
            lines = [*execution_text.render_header(execution), "", *execution_text.render_timeline(execution)]
            live.update(Text("\n".join(escape_control(line) for line in lines), no_wrap=True), refresh=True)
    return execution


def _follow_line_by_line(updates: Iterable[Execution]) -> Execution:
    printed: set[int] = set()
    for execution in updates:
        lines = [execution_text.render_event(event) for event in execution.events if event.id not in printed]
        printed |= {event.id for event in execution.events}
        _say_all(line for line in lines if line)
    return execution


def _build_facts(execution: Execution) -> dict[str, Any]:
    facts = asdict(replace(execution, events=()))
    del facts["events"]
    return {"name": execution.summary.name, **facts.pop("summary"), **facts}


def _say_all(lines: Iterable[str]) -> None:
    for line in lines:
        say(line)
