"""Every row of the fault matrix on moto, also those that are only a rule for the tests on the emulator."""

import json
import threading
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.workflows.asl import load_workflow
from tests.workflows.faults.matrix import MatrixRow, load_rows
from tests.workflows.second_engine.engine import MotoEngine
from tests.workflows.second_engine.replay import (
    WORKFLOWS,
    Cell,
    Outcome,
    build_cells,
    expected_outcome,
    list_functions,
    run,
)
from tests.workflows.second_engine.stand_in import StandIn

_HEADER = ["workflow", "state", "error", "attempts", "ends-in", "http", "why"]


class Difference(NamedTuple):
    """A row of ``differences.txt``."""

    workflow: str
    state: str
    error: str
    outcome: Outcome

    def covers(self, cell: Cell) -> bool:
        names = (cell.row.workflow, cell.row.state, cell.error)
        return cell.is_exhausted and names == (self.workflow, self.state, self.error)


def _load_differences() -> list[Difference]:
    text = Path(__file__).with_name("differences.txt").read_text()
    lines = [line.split() for line in text.splitlines() if line]
    return [_parse_difference(words) for words in lines[lines.index(_HEADER) + 1 :]]


def _parse_difference(words: list[str]) -> Difference:
    workflow, state, error, attempts, ends_in, http, _why = words
    outcome = Outcome(int(attempts), ends_in, None if http == "-" else int(http))
    return Difference(workflow, state, error, outcome)


DIFFERENCES = _load_differences()


@pytest.mark.parametrize("row", load_rows(), ids=str)
def test_a_row_ends_as_on_the_emulator_but_for_the_known_differences(engine: MotoEngine, row: MatrixRow) -> None:
    cells = build_cells(row)
    known = {cell: line.outcome for cell in cells for line in DIFFERENCES if line.covers(cell)}
    assert {str(cell): run(engine, cell) for cell in cells} == {
        str(cell): known.get(cell, expected_outcome(cell)) for cell in cells
    }


def test_each_known_difference_is_one() -> None:
    cells = [cell for row in load_rows() for cell in build_cells(row)]
    for line in DIFFERENCES:
        covered = [cell for cell in cells if line.covers(cell)]
        assert covered, line
        assert [cell for cell in covered if expected_outcome(cell) == line.outcome] == [], line


def test_a_state_that_outlasts_its_time_limit_ends_as_its_row_says(engine: MotoEngine, tmp_path: Path) -> None:
    """In the rows above the stand-in raises the timeout. Here the interpreter's own clock does."""
    machine = load_workflow(WORKFLOWS["list_meters"])
    machine["States"]["ListMeters"]["TimeoutSeconds"] = 1
    path = tmp_path / "list_meters_in_a_second.asl.json"
    path.write_text(json.dumps(machine))
    (row,) = [row for row in load_rows() if str(row) == "list_meters.ListMeters States.Timeout"]
    is_over = threading.Event()
    stand_in = StandIn(list_functions("list_meters"), {}, {"ListMeters": lambda _event: is_over.wait(60)})
    execution = engine.run(path, {}, stand_in)
    is_over.set()
    assert (stand_in.attempts["ListMeters"], execution.error) == (row.attempts, row.ends_in)
