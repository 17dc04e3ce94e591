"""A workflow's graph, from its definition in the Amazon States Language. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

Definition = Mapping[str, Any]
Way = Literal["next", "choice", "default", "catch"]

_COMPARED: Final = {
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
    """A way from one state to another; ``target`` is ``None`` where the machine ends."""

    source: str
    target: str | None
    way: Way
    label: str = ""


@dataclass(frozen=True)
class Node:
    """A state; ``inside`` are the graphs of a Map's items (one) or of a Parallel's branches.

    The items of a distributed Map are executions of their own.
    """

    name: str
    kind: str
    comment: str
    resource: str
    inside: tuple["Graph", ...] = ()
    is_distributed: bool = False


@dataclass(frozen=True)
class Graph:
    """States in the order in which they are written."""

    start: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    def every_node(self) -> Iterator[Node]:
        """The nodes, and those inside them."""
        for node in self.nodes:
            yield node
            for graph in node.inside:
                yield from graph.every_node()

    def every_edge(self) -> Iterator[Edge]:
        """The edges, and those inside the nodes."""
        yield from self.edges
        for node in self.nodes:
            for graph in node.inside:
                yield from graph.every_edge()


def build_graph(machine: Definition) -> Graph:
    """The graph of a state machine, or of the processor of a Map's items."""
    states: Mapping[str, Definition] = machine["States"]
    nodes = tuple(_node(name, state) for name, state in states.items())
    edges = tuple(edge for name, state in states.items() for edge in _edges(name, state))
    return Graph(machine["StartAt"], nodes, edges)


def names_by_resource(graph: Graph) -> dict[str, str]:
    """The state of each resource that exactly one state calls."""
    found: dict[str, list[str]] = {}
    for node in graph.every_node():
        if node.resource:
            found.setdefault(node.resource, []).append(node.name)
    return {resource: names[0] for resource, names in found.items() if len(names) == 1}


def on_error_only(graph: Graph) -> dict[str, set[str | None]]:
    """By state, where it leads only if its error was caught."""
    caught: dict[str, set[str | None]] = {}
    otherwise: dict[str, set[str | None]] = {}
    for edge in graph.every_edge():
        (caught if edge.way == "catch" else otherwise).setdefault(edge.source, set()).add(edge.target)
    return {source: targets - otherwise.get(source, set()) for source, targets in caught.items()}


def _node(name: str, state: Definition) -> Node:
    processor = state.get("ItemProcessor") or state.get("Iterator")
    machines = [processor] if processor else state.get("Branches", [])
    inside = tuple(build_graph(machine) for machine in machines)
    distributed = (processor or {}).get("ProcessorConfig", {}).get("Mode") == "DISTRIBUTED"
    return Node(name, state["Type"], state.get("Comment", ""), state.get("Resource", ""), inside, distributed)


def _edges(name: str, state: Definition) -> Iterator[Edge]:
    for choice in state.get("Choices", []):
        yield Edge(name, choice["Next"], "choice", condition(choice))
    if "Default" in state:
        yield Edge(name, state["Default"], "default", "otherwise")
    if "Next" in state:
        yield Edge(name, state["Next"], "next")
    if state.get("End") or state["Type"] == "Succeed":
        yield Edge(name, None, "next")
    for catch in state.get("Catch", []):
        yield Edge(name, catch["Next"], "catch", ", ".join(catch["ErrorEquals"]))


def condition(rule: Definition) -> str:
    """A rule of a Choice in words: ``$.failed > 0``."""
    if "Condition" in rule:
        return str(rule["Condition"])
    for word in ("And", "Or"):
        if word in rule:
            return f" {word.lower()} ".join(condition(part) for part in rule[word])
    if "Not" in rule:
        return f"not ({condition(rule['Not'])})"
    operator = next(key for key in rule if key not in {"Variable", "Next", "Comment", "Assign", "Output"})
    return f"{rule['Variable']} {_compared(operator, rule[operator])}"


def _compared(operator: str, value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if operator.startswith("Is"):
        return f"is {'' if value else 'not '}{operator[2:].lower()}"
    for kind in _TYPES:
        operator = operator.removeprefix(kind)
    return f"{_COMPARED.get(operator.removesuffix('Path'), operator)} {text}"
