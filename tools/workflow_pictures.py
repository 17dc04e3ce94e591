"""Draw the workflows into ``docs/workflows.md`` and ``README.md``, from the ASL files.

Run by ``make pictures``; a test compares the committed files with what this module draws.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from amberflo_workflows.operate.executions.graph import Edge, build_graph

ROOT: Final = Path(__file__).resolve().parents[1]
WORKFLOWS: Final = ROOT / "workflows"
WORKFLOW_IN_README: Final = "create_meter"
_PLACE_IN_README: Final = re.compile(r"(<!-- picture -->\n).*?(<!-- /picture -->)", re.DOTALL)

_SHAPES: Final = {"Choice": ("{", "}"), "Map": ("[[", "]]"), "Fail": ("{{", "}}"), "Pass": ("(", ")")}
_HEAD: Final = """# Workflows

`make pictures` writes this page from `workflows/*.asl.json`. In the pictures a rectangle is a task, a diamond a choice,
a rounded rectangle a pass state, a rectangle with double sides a map, and a hexagon a failure. Dotted arrows are
errors. In the tables, `3 x 6 s` is three attempts of at most 6 seconds for the first group of errors that the state
retries. [design.md](design.md) explains the rules behind the workflows.
"""


def load_workflow(path: Path) -> dict[str, Any]:
    """The state machine in an ASL file."""
    machine: dict[str, Any] = json.loads(path.read_text())
    return machine


def render_flowchart(machine: dict[str, Any]) -> str:
    """A Mermaid flowchart of a state machine."""
    graph = build_graph(machine)
    lines = ["flowchart TD", f"  start((start)) --> {graph.start}"]
    for node in graph.nodes:
        opening, closing = _SHAPES.get(node.kind, ("[", "]"))
        lines.append(f'  {node.name}{opening}"{node.name}"{closing}')
        edges = [edge for edge in graph.edges if edge.source == node.name]
        lines += [f"  {node.name} {_render_arrow(edge, edges)} {edge.target or 'finish'}" for edge in edges]
    if any(edge.target is None for edge in graph.edges):
        lines.append("  finish((end))")
    return "\n".join(lines)


def _render_arrow(edge: Edge, siblings: list[Edge]) -> str:
    """An arrow with its label; the question that ``yes`` and ``no`` answer is the name of the state."""
    if edge.kind == "catch":
        return f"-. {edge.label} .->"
    has_one_rule = [sibling.kind for sibling in siblings].count("choice") == 1
    if edge.kind == "default":
        return "-- no -->" if has_one_rule else f"-- {edge.label} -->"
    return "-- yes -->" if edge.kind == "choice" and has_one_rule else "-->"


def _render_attempts(state: dict[str, Any]) -> str:
    """``3 x 6 s``: how often a task is attempted by its first retrier, and its time limit."""
    if "TimeoutSeconds" not in state:
        return ""
    retries = state["Retry"][0]["MaxAttempts"] if "Retry" in state else 0
    return f"{retries + 1} x {state['TimeoutSeconds']} s"


def _render_rows(states: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for name, state in states.items():
        yield f"| {prefix}{name} | {state['Type']} | {_render_attempts(state)} | {state['Comment']} |"
        if "ItemProcessor" in state:
            yield from _render_rows(state["ItemProcessor"]["States"], f"{prefix}{name} / ")


def render_section(name: str, machine: dict[str, Any]) -> str:
    """The description, the picture and the table of one workflow."""
    rows = "\n".join(_render_rows(machine["States"]))
    return f"""
## {name}

{machine["Comment"]} Time limit: {machine["TimeoutSeconds"]} s.

```mermaid
{render_flowchart(machine)}
```

| state | type | attempts | notes |
|---|---|---|---|
{rows}
"""


def render_document() -> str:
    """The text of ``docs/workflows.md``."""
    paths = sorted(WORKFLOWS.glob("*.asl.json"))
    return _HEAD + "".join(render_section(path.name.removesuffix(".asl.json"), load_workflow(path)) for path in paths)


def render_readme(text: str) -> str:
    """The text of ``README.md`` with the picture between its markers."""
    flowchart = render_flowchart(load_workflow(WORKFLOWS / f"{WORKFLOW_IN_README}.asl.json"))
    return _PLACE_IN_README.sub(lambda match: f"{match[1]}```mermaid\n{flowchart}\n```\n{match[2]}", text)


def main() -> None:
    """Write both files."""
    (ROOT / "docs" / "workflows.md").write_text(render_document())
    (ROOT / "README.md").write_text(render_readme((ROOT / "README.md").read_text()))


if __name__ == "__main__":
    main()
