"""Draw the package's folders and the imports between them into ``docs/design.md``.

Run by ``make pictures``; a test compares the committed file with what this module draws.
"""

import re
from collections.abc import Mapping
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Final, TypeAlias

import grimp

ROOT: Final = Path(__file__).resolve().parents[1]
DESIGN: Final = ROOT / "docs" / "design.md"
PACKAGE: Final = "amberflo_workflows"
TOOLS: Final = "tools"
_PLACE: Final = re.compile(r"(<!-- rooms -->\n).*?(<!-- /rooms -->)", re.DOTALL)

# By room, the rooms that it imports.
Imports: TypeAlias = Mapping[str, frozenset[str]]


def read_imports() -> Imports:
    """The imports between the rooms: the top-level packages of the product, and ``tools``."""
    graph = grimp.build_graph(PACKAGE, TOOLS, cache_dir=None)
    modules = {module.rpartition(".")[2]: module for module in [*graph.find_children(PACKAGE), TOOLS]}
    for module in modules.values():
        graph.squash_module(module)
    return {
        room: frozenset(
            other
            for other, imported in modules.items()
            if room != other and graph.direct_import_exists(importer=importer, imported=imported)
        )
        for room, importer in modules.items()
    }


def reduce_imports(imports: Imports) -> Imports:
    """The rooms from the top down, without the imports that others imply: the transitive reduction.

    Raises :class:`graphlib.CycleError` if rooms import each other.
    """
    bottom_up = TopologicalSorter({room: sorted(imports[room]) for room in sorted(imports)}).static_order()
    return {
        room: frozenset(
            target
            for target in imports[room]
            if not any(target in _reachable(imports, other) for other in imports[room])
        )
        for room in reversed([*bottom_up])
    }


def _reachable(imports: Imports, room: str) -> set[str]:
    """The rooms that a room imports, directly or through others."""
    reached: set[str] = set()
    waiting = list(imports[room])
    while waiting:
        target = waiting.pop()
        if target not in reached:
            reached.add(target)
            waiting += imports[target]
    return reached


def render_flowchart(imports: Imports) -> str:
    """A Mermaid flowchart with an arrow from each room to those that it imports."""
    lines = ["flowchart TD"]
    for room, targets in imports.items():
        lines += [f"  {room} --> {target}" for target in sorted(targets)] or [f"  {room}"]
    return "\n".join(lines)


def render_design(text: str) -> str:
    """The text of ``docs/design.md`` with the picture between its markers."""
    picture = f"```mermaid\n{render_flowchart(reduce_imports(read_imports()))}\n```\n"
    return _PLACE.sub(lambda match: match[1] + picture + match[2], text)


def main() -> None:
    """Write the picture into the file."""
    DESIGN.write_text(render_design(DESIGN.read_text()))


if __name__ == "__main__":
    main()
