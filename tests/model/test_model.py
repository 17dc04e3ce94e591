"""SPIN explores the model of the protocol, ``docs/model/ingest.pml``, completely.

``METERING_SOAK=1`` adds the searches that take minutes. The mutations show that the property can fail, and the goals
that it does not hold only because nothing happens.
"""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

MODEL = Path(__file__).parents[2] / "docs" / "model" / "ingest.pml"
SOAK = bool(os.environ.get("METERING_SOAK"))
TOOLS = {name: shutil.which(name) for name in ("spin", "cc")}
# More than any search needs, so that it is complete.
MAX_DEPTH = 2_000_000

pytestmark = pytest.mark.skipif(
    not all(TOOLS.values()),
    reason="the model was not checked: install " + " and ".join(name for name, path in TOOLS.items() if not path),
)

ONE_OF_EACH = ("-DWORKERS=1", "-DPEOPLE=1")
ALL_THINGS = ("-DDEAD", "-DLATE", "-DCANCEL")
SEARCHES: list[tuple[str, ...]] = [("-DPEOPLE=1",), ("-DWORKERS=1",)]
LONG_SEARCHES: list[tuple[str, ...]] = [
    ("-DPEOPLE=0", "-DDEAD"),
    (*ONE_OF_EACH, *ALL_THINGS),
    (),
    ("-DPEOPLE=1", *ALL_THINGS),
]
MUTATIONS = {
    "ACK_BEFORE_SEND": ONE_OF_EACH,
    "ACK_FAILED_CHUNK": ONE_OF_EACH,
    "NO_SAVE": ONE_OF_EACH,
    "OVERWRITE_REJECTED": ONE_OF_EACH,
    "NEW_IDENTITY_ON_REDRIVE": ONE_OF_EACH,
    "DELETE_BEFORE_SEND": (*ONE_OF_EACH, "-DDEAD"),
    "EDIT_WHILE_SENT": ("-DWORKERS=1",),
    "DROP_WHILE_SENT": ("-DWORKERS=1",),
    "UNKNOWN_IS_REJECTED": ("-DWORKERS=1",),
    "UNCONDITIONAL_WRITES": ("-DWORKERS=1",),
    "READ_AFTER_WRITE": ("-DWORKERS=1",),
    # What the property needs of Amberflo and of the meters: the limits that README.md names.
    "NO_DEDUPLICATION": ONE_OF_EACH,
    "CANCELLATION_FORGETS": (*ONE_OF_EACH, "-DCANCEL"),
    "VERDICT_IMPROVES": ONE_OF_EACH,
    "VERDICT_WORSENS": ONE_OF_EACH,
}


@dataclass(frozen=True)
class Search:
    """What SPIN reports of a search. ``errors`` is 1 if a state violates the property."""

    errors: int
    states: int


def _search(folder: Path, *options: str, optimization: str = "-O0") -> Search:
    """Explore the model with these definitions, in a folder of its own, to the end or to the first violation."""
    _run(folder, TOOLS["spin"], *options, "-a", str(MODEL))
    # Without warnings, which are about C code that SPIN generates.
    _run(folder, TOOLS["cc"], optimization, "-w", "-o", "pan", "pan.c")
    report = _run(folder, "./pan", f"-m{MAX_DEPTH}", "-w20")
    assert "max search depth too small" not in report
    assert re.search(r"never claim +\t\+ \(property\)", report), report
    return Search(errors=_read_number(r"errors: (\d+)", report), states=_read_number(r"(\d+) states, stored", report))


def _run(folder: Path, *command: str | None) -> str:
    arguments = [argument for argument in command if argument]
    done = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
    return done.stdout


def _read_number(pattern: str, report: str) -> int:
    match = re.search(pattern, report)
    assert match, report
    return int(match[1])


def _join(options: tuple[str, ...]) -> str:
    return " ".join(options) or "all"


@pytest.mark.parametrize("options", SEARCHES + (LONG_SEARCHES if SOAK else []), ids=_join)
def test_no_usage_is_lost_or_counted_twice(options: tuple[str, ...], tmp_path: Path) -> None:
    search = _search(tmp_path, *options, optimization="-O2")
    print(f"{_join(options)}: {search.states:,} states")
    assert search.errors == 0
    assert search.states > 100_000


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_the_search_finds_each_mutation(mutation: str, tmp_path: Path) -> None:
    assert _search(tmp_path, f"-D{mutation}", *MUTATIONS[mutation]).errors == 1


def test_every_mutation_and_goal_of_the_model_is_searched() -> None:
    text = MODEL.read_text()
    options = {"WORKERS", "PEOPLE", "DEAD", "LATE", "CANCEL", "GOAL"}
    assert set(re.findall(r"^#ifn?def (\w+)", text, re.MULTILINE)) == set(MUTATIONS) | options
    assert len(_list_goals()) == 11


def _list_goals() -> list[str]:
    goals = MODEL.read_text().split("/* Each goal ")[1].split("#ifdef GOAL")[0]
    return re.findall(r"^#define (\w+)", goals, re.MULTILINE)


@pytest.mark.parametrize("goal", _list_goals())
def test_each_outcome_can_be_reached(goal: str, tmp_path: Path) -> None:
    assert _search(tmp_path, f"-DGOAL={goal}", *ONE_OF_EACH, *ALL_THINGS).errors == 1
