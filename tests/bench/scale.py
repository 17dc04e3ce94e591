"""Past one machine: at how many usages a second each part of an AWS account stops, and what a month costs.

Nothing of it was run on AWS. ``python -m tests.bench.scale`` prints the tables of ``docs/scale.md``, from the counts in
``units.json``; ``make bench ARGS=scale`` counts anew, prints the tables of these counts and keeps them in
``build/bench.json``, from where they are put into ``units.json``.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from amberflo_workflows.core.chunks import MAX_CHUNK_USAGES
from amberflo_workflows.local.system import System
from tests.bench.costs import Counted, taken
from tests.bench.quotas import QUOTAS
from tests.bench.reckoning import FULL, alone, events_a_batch, ours, times

VOLUMES: Final = {"1 M": 1_000_000, "100 M": 100_000_000, "10 G": 10_000_000_000}
# So that what small batches take of the processor adds up to many ticks of its clock.
_LEAST_EXECUTIONS: Final = 100

Units = dict[tuple[int, int], Counted]


def measure(system: System) -> dict[str, Any]:
    """What batches of each kind take that the tables need."""
    kinds = {(an_event, full) for an_event, full in FULL.items()}
    kinds |= {(an_event, events_a_batch(volume, an_event)) for volume in VOLUMES.values() for an_event in FULL}
    found = []
    for an_event, events in sorted(kinds):
        how_many = math.ceil(_LEAST_EXECUTIONS / math.ceil(an_event * events / MAX_CHUNK_USAGES))
        found.append(
            {"usages_an_event": an_event, "events_a_batch": events}
            | asdict(taken(system, an_event * events, an_event, how_many))
        )
    return {"units": found}


def units(found: Sequence[dict[str, Any]]) -> Units:
    """What was counted, by the usages of an event and the events of a batch."""
    return {
        (row["usages_an_event"], row["events_a_batch"]): Counted(
            **{name: value for name, value in row.items() if name not in {"usages_an_event", "events_a_batch"}}
        )
        for row in found
    }


def committed() -> tuple[str, Units]:
    """The counts that ``docs/scale.md`` is reckoned from, and when and where they were made."""
    kept = json.loads(Path(__file__).with_name("units.json").read_text())
    return kept["counted"], units(kept["units"])


def tables(counts: Units) -> dict[str, str]:
    """The tables of the document, in Markdown, by name."""
    return {"times": _times(counts), "ceilings": _ceilings(counts), "costs": _costs(counts)}


def _times(counts: Units) -> str:
    rows = []
    for an_event, full in FULL.items():
        counted = counts[an_event, full]
        found = times(counted)
        rows.append(
            [
                f"{full:,} of {_usages(an_event)}",
                f"{counted.executions / counted.batches:.0f}",
                *(_rounded(seconds) for seconds in (found.execution, found.batch)),
                _rounded(found.lambdas / counted.usages * 1000),
            ]
        )
    return _table(
        ["a full batch of events", "executions", "s an execution", "s a batch", "Lambda s per 1,000 usages"], rows
    )


def _ceilings(counts: Units) -> str:
    full = [counts[an_event, events] for an_event, events in FULL.items()]
    found = sorted(
        ([quota.usages_a_second(counted) for counted in full], quota.part, quota.told, quota.source) for quota in QUOTAS
    )
    return _table(
        ["part", "by default", *(f"usages/s, events of {an_event}" for an_event in FULL), "source"],
        [[part, told, *map(_rounded, rates), source] for rates, part, told, source in found],
    )


def _costs(counts: Units) -> str:
    rows = []
    for name, volume in VOLUMES.items():
        for an_event in FULL:
            counted = counts[an_event, events_a_batch(volume, an_event)]
            rows.append(_cost_row(name, volume, f"events of {an_event}", ours(counted, volume)))
        rows.append(_cost_row(name, volume, "a Lambda each", alone(volume)))
    paid = ["events", "queue", "workflows", "Lambdas", "logs", "traces", "fixed"]
    return _table(["usages", "", *paid, "**$ a month**", "$ a million"], rows)


def _cost_row(name: str, volume: int, how: str, dollars: dict[str, float]) -> list[str]:
    everything = sum(dollars.values())
    a_million = _rounded(everything * 1_000_000 / volume)
    return [name, how, *map(_dollars, dollars.values()), f"**{_dollars(everything)}**", a_million]


def _usages(count: int) -> str:
    return "1 usage" if count == 1 else f"{count} usages"


def _rounded(number: float) -> str:
    """Two figures, and as many noughts as it takes."""
    if number == 0:
        return "0"
    digits = 1 - math.floor(math.log10(abs(float(f"{number:.1e}"))))
    return f"{round(number, digits):,.{max(digits, 0)}f}"


def _dollars(number: float) -> str:
    return "< 0.01" if 0 < number < 0.01 else _rounded(number)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    print("\n\n".join(tables(committed()[1]).values()))
