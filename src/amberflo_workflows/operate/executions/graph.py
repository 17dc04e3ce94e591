"""A workflow's graph, built from its definition in the Amazon States Language."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

Definition = Mapping[str, Any]
EdgeKind = Literal["next", "choice", "default", "catch"]

_OPERATORS: Final = {
    "Equals": "is",
    "GreaterThan": ">",
    "GreaterThanEquals": ">=",
    "LessThan": "<",
    "LessThanEquals": "<=",
    "Matches": "matches",
}
_TYPES: Final = ("String", "Numeric", "Timestamp", "Boolean")


@dataclass(frozen=True)
class Edge:
    """A transition from one state to another; ``target`` is ``None`` at the end of the workflow."""

    source: str
    target: str | None
    kind: EdgeKind
    label: str = ""


@dataclass(frozen=True)
class Node:
    """A state; ``subgraphs`` has the graph of a Map's items, or those of a Parallel's branches.

    The items of a distributed Map are separate executions. ``parameters`` and ``input_path`` say what a task receives.
    """

    name: str
    kind: str
    comment: str
    resource: str
    subgraphs: tuple["Graph", ...] = ()
    is_distributed: bool = False
    input_path: str = "$"
    parameters: Any = field(default=None, hash=False)


@dataclass(frozen=True)
class Graph:
    """States, in the order of the definition, and transitions."""

    start: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    def all_nodes(self) -> Iterator[Node]:
        """Yield the nodes and those of their subgraphs."""
        for node in self.nodes:
            yield node
            for graph in node.subgraphs:
                yield from graph.all_nodes()

    def all_edges(self) -> Iterator[Edge]:
        """Yield the edges and those of the subgraphs."""
        yield from self.edges
        for node in self.nodes:
            for graph in node.subgraphs:
                yield from graph.all_edges()


def build_graph(machine: Definition) -> Graph:
    """Build the graph of a state machine, of a Map's item processor, or of a Parallel's branch."""
    states: Mapping[str, Definition] = machine["States"]
    nodes = tuple(_build_node(name, state) for name, state in states.items())
    edges = tuple(edge for name, state in states.items() for edge in _build_edges(name, state))
    return Graph(machine["StartAt"], nodes, edges)


def map_resources_to_states(graph: Graph) -> dict[str, str]:
    """Return the name of the state for each resource that exactly one state calls."""
    names_by_resource: dict[str, list[str]] = {}
    for node in graph.all_nodes():
        if node.resource:
            names_by_resource.setdefault(node.resource, []).append(node.name)
    return {resource: names[0] for resource, names in names_by_resource.items() if len(names) == 1}


def find_catch_only_targets(graph: Graph) -> dict[str, set[str | None]]:
    """Return, by state, the targets that it reaches only if its error was caught."""
    caught: dict[str, set[str | None]] = {}
    other: dict[str, set[str | None]] = {}
    for edge in graph.all_edges():
        (caught if edge.kind == "catch" else other).setdefault(edge.source, set()).add(edge.target)
    return {source: targets - other.get(source, set()) for source, targets in caught.items()}


def _build_node(name: str, state: Definition) -> Node:
    processor = state.get("ItemProcessor") or state.get("Iterator")
    machines = [processor] if processor else state.get("Branches", [])
    subgraphs = tuple(build_graph(machine) for machine in machines)
    distributed = (processor or {}).get("ProcessorConfig", {}).get("Mode") == "DISTRIBUTED"
    return Node(
        name=name,
        kind=state["Type"],
        comment=state.get("Comment", ""),
        resource=state.get("Resource", ""),
        subgraphs=subgraphs,
        is_distributed=distributed,
        # Neither an empty input, which is a null, nor JSONata's arguments are computed.
        input_path=state.get("InputPath", "$") or "" if "Arguments" not in state else "",
        parameters=state.get("Parameters"),
    )


def _build_edges(name: str, state: Definition) -> Iterator[Edge]:
    for choice in state.get("Choices", []):
        yield Edge(name, choice["Next"], "choice", render_condition(choice))
    if "Default" in state:
        yield Edge(name, state["Default"], "default", "otherwise")
    if "Next" in state:
        yield Edge(name, state["Next"], "next")
    if state.get("End") or state["Type"] == "Succeed":
        yield Edge(name, None, "next")
    for catch in state.get("Catch", []):
        yield Edge(name, catch["Next"], "catch", ", ".join(catch["ErrorEquals"]))


def render_condition(rule: Definition) -> str:
    """Render a rule of a Choice as text: ``$.failed > 0``."""
    if "Condition" in rule:
        return str(rule["Condition"])
    for word in ("And", "Or"):
        if word in rule:
            return f" {word.lower()} ".join(render_condition(part) for part in rule[word])
    if "Not" in rule:
        return f"not ({render_condition(rule['Not'])})"
    operator = next(key for key in rule if key not in {"Variable", "Next", "Comment", "Assign", "Output"})
    return f"{rule['Variable']} {_render_comparison(operator, rule[operator])}"


def _render_comparison(operator: str, value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if operator.startswith("Is"):
        return f"is {'' if value else 'not '}{operator[2:].lower()}"
    for kind in _TYPES:
        operator = operator.removeprefix(kind)
    return f"{_OPERATORS.get(operator.removesuffix('Path'), operator)} {text}"
