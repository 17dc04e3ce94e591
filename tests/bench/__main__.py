"""Measure everything, print it as tables, and keep it in ``build/bench.json``."""

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from amberflo_workflows.local.system import running_system
from tests.bench import costs, drain, imports, pages, scale, throughput
from tests.bench.prices import PRICES_OF

PARTS = ("imports", "throughput", "costs", "drain", "scale", "pages")
console = Console()


def main(arguments: list[str]) -> int:
    """``python -m tests.bench [PART…]``."""
    wanted = arguments or list(PARTS)
    if unknown := set(wanted) - set(PARTS):
        print(f"There is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}.", file=sys.stderr)
        return 2
    found: dict[str, Any] = {"at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "cpus": os.cpu_count()}
    if "imports" in wanted:
        found["imports"] = _shown("Importing a handler, cold", imports.measure())
    with tempfile.TemporaryDirectory() as folder, running_system(Path(folder)) as system:
        if "throughput" in wanted:
            title = "Usages a second through one worker, best of three, against one HTTP call each"
            found["throughput"] = _shown(title, throughput.measure(system, Path(folder)))
        if "costs" in wanted:
            found["costs"] = costs.measure(system)
            _show_costs(found["costs"])
        if "drain" in wanted:
            found["drain"] = drain.measure(system)
            _show_drain(found["drain"])
        if "scale" in wanted:
            found["scale"] = scale.measure(system)
            _show_scale(found["scale"])
        if "pages" in wanted:
            title = f"Pages of the console with {pages.EXECUTIONS:,} executions, the median of {pages.RUNS}"
            found["pages"] = _shown(title, pages.measure(system))
    out = Path("build") / "bench.json"
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps(found, indent=2) + "\n")
    console.print(f"Kept in {out}")
    return 0


def _shown(title: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    table = Table(title=title, title_justify="left")
    for name in rows[0]:
        table.add_column(name.replace("_", " "), justify="right")
    for row in rows:
        table.add_row(*(f"{value:,}" if isinstance(value, int | float) else value for value in row.values()))
    console.print(table)
    return rows


def _show_costs(rows: list[dict[str, Any]]) -> None:
    for part, title in (
        ("per_1000_usages", "Counted per 1,000 usages"),
        ("dollars_per_million", f"Dollars per million usages ({PRICES_OF})"),
    ):
        _shown(
            title,
            [
                {"": name, **{f"{row['usages_an_event']} usages an event": row[part][name] for row in rows}}
                for name in rows[0][part]
            ],
        )


def _show_scale(found: dict[str, Any]) -> None:
    for table in scale.tables(scale.units(found["units"])).values():
        console.print(table, markup=False, soft_wrap=True, end="\n\n")


def _show_drain(rows: list[dict[str, Any]]) -> None:
    flat = [{key: value for key, value in row.items() if key != "processes"} for row in rows]
    _shown("Events on the bus until Amberflo has them, as the emulator's queue does it", flat)
    _shown(
        "Memory of the largest process of a kind afterwards, MB",
        [
            {
                "process": name,
                **{f"{row['events']:,} events": row["processes"].get(name, {}).get("largest_mb", 0) for row in rows},
            }
            for name in rows[-1]["processes"]
        ],
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
