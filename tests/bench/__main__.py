"""Measure speed and cost, print tables, and save them in ``build/bench.json``."""

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from amberflo_workflows.local.system import System, running_system
from tests.bench import (
    costs,
    drain,
    growth,
    hot_path,
    local_call,
    meter_names,
    pages,
    reconciliation,
    records,
    scale,
    throughput,
)
from tests.bench.compare import cold, ingest, side_by_side
from tests.bench.events import METER
from tests.bench.prices import PRICES_SOURCE
from tests.conftest import sandbox_of

SYSTEM_PARTS = ("throughput", "costs", "drain", "names", "scale", "pages", "compare", "growth")
PARTS = ("cold", "usage", "records", "local", "reconcile", *SYSTEM_PARTS)
# A file or a pipe has no width.
console = Console(width=None if sys.stdout.isatty() else 120)


def main(args: list[str]) -> int:
    """``python -m tests.bench [PART…]``, by default all parts."""
    parts = args or list(PARTS)
    if unknown := set(parts) - set(PARTS):
        print(f"Unknown part: {', '.join(sorted(unknown))}. The parts are {', '.join(PARTS)}.", file=sys.stderr)
        return 2
    results: dict[str, Any] = {"at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "cpus": os.cpu_count()}
    if {"cold", "compare"} & set(parts):
        results["cold"] = cold.measure()
        _print_cold(results["cold"])
    if "usage" in parts:
        title = "CPU time of a queued usage from the message's body to the compressed request, single events"
        results["usage"] = _print_table(title, hot_path.measure())
    if "records" in parts:
        title = "CPU time of a usage in the step that sends it, without its calls"
        results["records"] = _print_table(title, records.measure())
    if "local" in parts:
        results["local"] = _print_table("A local GET of a meter", local_call.measure())
    if "reconcile" in parts:
        results["reconcile"] = _print_table("Reconciliation of the ledger", reconciliation.measure())
    if set(parts) & set(SYSTEM_PARTS):
        with tempfile.TemporaryDirectory() as folder, running_system(Path(folder)) as system:
            results |= _measure_system(system, Path(folder), parts)
    if "compare" in parts:
        _print_compare(results)
    out = Path("build") / "bench.json"
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps(results, indent=2) + "\n")
    console.print(f"Saved in {out}")
    return 0


def _measure_system(system: System, folder: Path, parts: list[str]) -> dict[str, Any]:
    """Measure the parts that need a running system, print them and return them by name."""
    results: dict[str, Any] = {}
    sandbox_of(system).create_meters(METER)
    if "throughput" in parts:
        title = "Usages per second through one worker, best of three, and with one HTTP call for each usage"
        results["throughput"] = _print_table(title, throughput.measure(system, folder))
    if "costs" in parts:
        results["costs"] = costs.measure(system)
        _print_costs(results["costs"])
    if "drain" in parts:
        results["drain"] = drain.measure(system)
        _print_drain(results["drain"])
    if "names" in parts:
        title = "Checking that each usage has a meter, chunks of 300 usages"
        results["names"] = _print_table(title, meter_names.measure(system))
    if "scale" in parts:
        results["scale"] = scale.measure(system)
        _print_scale(results["scale"])
    if "pages" in parts:
        title = f"Pages of the console with {pages.EXECUTIONS:,} executions, median of {pages.RUNS} runs"
        results["pages"] = _print_table(title, pages.measure(system))
    if "compare" in parts:
        results["compare"] = side_by_side.measure(system)
    if "growth" in parts:
        results["growth"] = _print_table("Lists, by the size of what is behind them", growth.measure(system))
    return results


def _print_table(title: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Print the rows and return them."""
    table = Table(title=title, title_justify="left")
    for name in rows[0]:
        table.add_column(name.replace("_", " "), justify="right")
    for row in rows:
        table.add_row(*(f"{value:,}" if isinstance(value, int | float) else value for value in row.values()))
    console.print(table)
    return rows


def _print_cold(result: dict[str, Any]) -> None:
    _print_table(f"First call after idle, with TLS, medians of {cold.RUNS} fresh processes", result["cold"])
    _print_table("The same, and a warm call, with other memories; the price of a million", result["memory"])
    _print_table("A warm call with the largest event and 10,000 meters or customers", result["large"])


def _print_compare(results: dict[str, Any]) -> None:
    compare = results["compare"]
    _print_table("Calls of the HTTP API, warm, without the emulator's fixed pauses", compare["warm"])
    title = f"{ingest.EVENTS:,} single events through the emulator's bus, as it is"
    _print_table(title, compare["bus"])
    _print_table("The same without the emulator's fixed pauses, in batches as AWS makes them", compare["batches"])
    rows = side_by_side.build_rows(results["cold"]["cold"], compare)
    compare["table"] = _print_table("This package and the design of one Lambda, side by side", rows)


def _print_costs(rows: list[dict[str, Any]]) -> None:
    for part, title in (
        ("per_1000_usages", "Counted per 1,000 usages"),
        ("dollars_per_million", f"Dollars per million usages ({PRICES_SOURCE})"),
    ):
        _print_table(
            title,
            [
                {"": name, **{f"events of {row['usages_per_event']}": row[part][name] for row in rows}}
                for name in rows[0][part]
            ],
        )


def _print_scale(result: dict[str, Any]) -> None:
    for table in scale.render_tables(scale.parse_units(result["units"])).values():
        console.print(table, markup=False, soft_wrap=True, end="\n\n")


def _print_drain(rows: list[dict[str, Any]]) -> None:
    flat = [{key: value for key, value in row.items() if key != "processes"} for row in rows]
    _print_table("From the event bus to Amberflo, through the emulator's queue", flat)
    _print_table(
        "Memory of the largest process of each kind afterwards, MB",
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
