"""Limits and monthly costs on AWS: the rate of usages that uses up each quota of an account, and the price.

Nothing of this was run on AWS. ``python -m tests.bench.scale`` prints the tables of ``docs/scale.md`` from the counts
in ``units.json``. ``make bench ARGS=scale`` counts again, prints the tables of the new counts and saves the counts in
``build/bench.json``. To use them, copy them to ``units.json``.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from amberflo_workflows.core.chunks import MAX_CHUNK_USAGES
from amberflo_workflows.local.system import System
from tests.bench.costs import RunCounts, count_run
from tests.bench.designs import AFTER, BEFORE, FULL_BATCHES
from tests.bench.estimates import estimate_monthly_dollars, estimate_per_event_dollars, estimate_times
from tests.bench.quotas import QUOTAS, estimate_with_pollers

VOLUMES: Final = {
    "10 k": 10_000,
    "1 M": 1_000_000,
    "10 M": 10_000_000,
    "100 M": 100_000_000,
    "10 G": 10_000_000_000,
}
POLLERS: Final = (2, 10, 100, 1000)
# Enough that the processor time of small batches is many ticks of its clock.
_MIN_EXECUTIONS: Final = 100

# The counts of the release 0.2, whose prices the document compares.
UNITS_BEFORE: Final = "units_before.json"

Units = dict[tuple[int, int], RunCounts]


def measure(system: System) -> dict[str, Any]:
    """Count a run for each kind of batch that the tables need."""
    kinds = {(usages_per_event, full) for usages_per_event, full in FULL_BATCHES.items()}
    kinds |= {
        (usages_per_event, AFTER.compute_events_per_batch(volume, usages_per_event))
        for volume in VOLUMES.values()
        for usages_per_event in FULL_BATCHES
    }
    units = []
    for usages_per_event, events in sorted(kinds):
        batch_count = math.ceil(_MIN_EXECUTIONS / math.ceil(usages_per_event * events / MAX_CHUNK_USAGES))
        units.append(
            {"usages_per_event": usages_per_event, "events_per_batch": events}
            | asdict(count_run(system, usages_per_event * events, usages_per_event, batch_count))
        )
    return {"units": units}


def parse_units(rows: Sequence[dict[str, Any]]) -> Units:
    """The counts of each run, by usages per event and events per batch."""
    return {
        (row["usages_per_event"], row["events_per_batch"]): RunCounts(
            **{name: value for name, value in row.items() if name not in {"usages_per_event", "events_per_batch"}}
        )
        for row in rows
    }


def read_committed_units(name: str = "units.json") -> tuple[str, Units]:
    """When and where the counts for ``docs/scale.md`` were made, and the counts."""
    document = json.loads(Path(__file__).with_name(name).read_text())
    return document["counted"], parse_units(document["units"])


def render_tables(units: Units) -> dict[str, str]:
    """The tables of the document in Markdown, by name; ``units`` are the counts of this release."""
    return {
        "times": _render_times(units),
        "ceilings": _render_ceilings(units),
        "pollers": _render_pollers(units),
        "costs": _render_costs(units, read_committed_units(UNITS_BEFORE)[1]),
        "fixed": _render_fixed(),
    }


def _render_times(units: Units) -> str:
    rows = []
    for usages_per_event, full in FULL_BATCHES.items():
        counts = units[usages_per_event, full]
        times = estimate_times(counts)
        rows.append(
            [
                f"{full:,} of {_format_usages(usages_per_event)}",
                f"{counts.executions / counts.batches:.0f}",
                *(_round(seconds) for seconds in (times.execution, times.batch)),
                _round(times.lambdas / counts.usages * 1000),
            ]
        )
    return _render_table(
        ["full batch", "executions", "s per execution", "s per batch", "Lambda s per 1,000 usages"], rows
    )


def _render_ceilings(units: Units) -> str:
    full = [units[usages_per_event, events] for usages_per_event, events in FULL_BATCHES.items()]
    rows = sorted(
        ([quota.max_usages_per_second(counts) for counts in full], quota.part, quota.description, quota.source)
        for quota in QUOTAS
    )
    return _render_table(
        [
            "part",
            "default",
            *(f"usages/s, events of {usages_per_event}" for usages_per_event in FULL_BATCHES),
            "source",
        ],
        [[part, description, *map(_round, rates), source] for rates, part, description, source in rows],
    )


def _render_pollers(units: Units) -> str:
    rows = []
    for pollers in POLLERS:
        for usages_per_event, events in FULL_BATCHES.items():
            rate, lambdas = estimate_with_pollers(pollers, units[usages_per_event, events])
            rows.append([f"{pollers:,}", _format_usages(usages_per_event), _round(rate), _round(lambdas)])
    return _render_table(["`ingestMaxPollers`", "events of", "usages/s", "concurrent Lambdas"], rows)


def _render_costs(units: Units, units_before: Units) -> str:
    rows = []
    for name, volume in VOLUMES.items():
        for usages_per_event in FULL_BATCHES:
            for release, design, counts in (("before", BEFORE, units_before), ("now", AFTER, units)):
                batch = counts[usages_per_event, design.compute_events_per_batch(volume, usages_per_event)]
                dollars = estimate_monthly_dollars(batch, volume, design)
                rows.append(_build_cost_row(name, volume, f"events of {usages_per_event}, {release}", dollars))
        rows.append(_build_cost_row(name, volume, "one Lambda per event", estimate_per_event_dollars(volume)))
    services = ["events", "queue", "workflows", "Lambdas", "logs", "ledger", "traces", "fixed"]
    return _render_table(["usages", "", *services, "**$ per month**", "$ per million"], rows)


def _render_fixed() -> str:
    before, now = BEFORE.list_fixed_dollars(), AFTER.list_fixed_dollars()
    rows = [[item, _format_dollars(before[item]), _format_dollars(now[item])] for item in before]
    total = ["**$ per month**", *(f"**{_format_dollars(sum(items.values()))}**" for items in (before, now))]
    return _render_table(["", "before", "now"], [*rows, total])


def _build_cost_row(name: str, volume: int, design: str, dollars: dict[str, float]) -> list[str]:
    total = sum(dollars.values())
    per_million = _round(total * 1_000_000 / volume)
    return [name, design, *map(_format_dollars, dollars.values()), f"**{_format_dollars(total)}**", per_million]


def _format_usages(count: int) -> str:
    return "1 usage" if count == 1 else f"{count} usages"


def _round(number: float) -> str:
    """The number with two significant digits."""
    if number == 0:
        return "0"
    digits = 1 - math.floor(math.log10(abs(float(f"{number:.1e}"))))
    return f"{round(number, digits):,.{max(digits, 0)}f}"


def _format_dollars(number: float) -> str:
    return "< 0.01" if 0 < number < 0.01 else _round(number)


def _render_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    print("\n\n".join(render_tables(read_committed_units()[1]).values()))
