"""Draw the workflows: ``docs/workflows.md`` and the picture in ``README.md``, from the ASL files.

Run by ``make pictures``; a test compares what is committed with what this module draws.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from amberflo_workflows.operate.executions.graph import Edge, build_graph

ROOT: Final = Path(__file__).resolve().parents[1]
WORKFLOWS: Final = ROOT / "workflows"
README_WORKFLOW: Final = "create_meter"
_IN_README: Final = re.compile(r"(<!-- picture -->\n).*?(<!-- /picture -->)", re.DOTALL)

_SHAPES: Final = {"Choice": ("{", "}"), "Map": ("[[", "]]"), "Fail": ("{{", "}}"), "Pass": ("(", ")")}
_HEAD: Final = """# The workflows

Drawn from `workflows/*.asl.json` by `make pictures`. Solid arrows are the way through, dotted ones what happens on
an error. A box is a task, a diamond a choice, a double box a map, a hexagon a failure. The rooms and the rules
behind them are in [design.md](design.md).
"""


def load(path: Path) -> dict[str, Any]:
    """A workflow's definition."""
    definition: dict[str, Any] = json.loads(path.read_text())
    return definition


def mermaid(machine: dict[str, Any]) -> str:
    """A Mermaid flowchart of a state machine."""
    graph = build_graph(machine)
    lines = ["flowchart TD", f"  start((start)) --> {graph.start}"]
    for node in graph.nodes:
        opening, closing = _SHAPES.get(node.kind, ("[", "]"))
        lines.append(f'  {node.name}{opening}"{node.name}"{closing}')
        edges = [edge for edge in graph.edges if edge.source == node.name]
        lines += [f"  {node.name} {_arrow(edge, edges)} {edge.target or 'finish'}" for edge in edges]
    if any(edge.target is None for edge in graph.edges):
        lines.append("  finish((end))")
    return "\n".join(lines)


def _arrow(edge: Edge, beside: list[Edge]) -> str:
    """What a choice asks is in the file; that there is but one question can be seen."""
    is_only_choice = edge.way == "choice" and len([other for other in beside if other.way == "choice"]) == 1
    if edge.way == "catch":
        return f"-. {edge.label} .->"
    if edge.way == "default":
        return f"-- {edge.label} -->"
    return "-- yes -->" if is_only_choice else "-->"


def _tries(state: dict[str, Any]) -> str:
    """``3 tries of 6 s`` for the errors that Amberflo causes, the first retrier of a state."""
    if "TimeoutSeconds" not in state:
        return ""
    retry = state.get("Retry", [{"MaxAttempts": 0}])[0]["MaxAttempts"]
    return f"{retry + 1} x {state['TimeoutSeconds']} s"


def _rows(states: dict[str, Any], inside: str = "") -> Iterator[str]:
    for name, state in states.items():
        yield f"| {inside}{name} | {state['Type']} | {_tries(state)} | {state['Comment']} |"
        if "ItemProcessor" in state:
            yield from _rows(state["ItemProcessor"]["States"], f"{inside}{name} / ")


def section(name: str, machine: dict[str, Any]) -> str:
    """One workflow in words, picture and table."""
    rows = "\n".join(_rows(machine["States"]))
    return f"""
## {name}

{machine["Comment"]} Time limit {machine["TimeoutSeconds"]} s.

```mermaid
{mermaid(machine)}
```

| state | type | tries | why it is there |
|---|---|---|---|
{rows}
"""


def document() -> str:
    """The text of ``docs/workflows.md``."""
    paths = sorted(WORKFLOWS.glob("*.asl.json"))
    return _HEAD + "".join(section(path.name.removesuffix(".asl.json"), load(path)) for path in paths)


def readme(text: str) -> str:
    """The README with its picture drawn anew."""
    picture = f"```mermaid\n{mermaid(load(WORKFLOWS / f'{README_WORKFLOW}.asl.json'))}\n```\n"
    return _IN_README.sub(lambda found: found[1] + picture + found[2], text)


def main() -> None:
    """Write both files."""
    (ROOT / "docs" / "workflows.md").write_text(document())
    (ROOT / "README.md").write_text(readme((ROOT / "README.md").read_text()))


if __name__ == "__main__":
    main()
