"""The matrix and the workflows have the same states, errors and numbers of attempts."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.workflows.asl import FILES, iter_states, load_workflow, workflow_name
from tests.workflows.faults.matrix import MATRIX, MatrixRow, load_rows

ROWS = load_rows()
# The workflow reads the key again once; the second rejection ends the execution.
REFRESHED = "AmberfloUnauthorized"
# An error that the state neither retries nor catches ends the execution at once. It has a row if a caller gets it.
UNHANDLED = {"ApiKeyUnavailable"}


class StateError(NamedTuple):
    workflow: str
    state: str
    error: str


def _count_attempts(state: dict[str, Any], error: str) -> int:
    retries = [retrier["MaxAttempts"] for retrier in state.get("Retry", []) if error in retrier["ErrorEquals"]]
    return 2 if error == REFRESHED else sum(retries) + 1


def _workflow_errors() -> Iterator[tuple[StateError, int]]:
    """Each error that a workflow handles, with its number of attempts."""
    for path in FILES:
        for state, body in iter_states(load_workflow(path)):
            for rule in body.get("Retry", []) + body.get("Catch", []):
                for error in rule["ErrorEquals"]:
                    yield StateError(workflow_name(path), state, error), _count_attempts(body, error)


def _matrix_errors() -> Iterator[tuple[StateError, int]]:
    """Each error in the matrix, with its number of attempts."""
    for row in ROWS:
        for error in row.errors:
            yield StateError(row.workflow, row.state, error), row.attempts


IN_MATRIX = dict(_matrix_errors())


@pytest.mark.parametrize("path", FILES, ids=workflow_name)
def test_every_error_that_a_state_handles_has_a_row_with_its_number_of_attempts(path: Path) -> None:
    expected = {error: count for error, count in _workflow_errors() if error.workflow == workflow_name(path)}
    assert expected
    assert {error: IN_MATRIX.get(error) for error in expected} == expected


def test_every_row_has_a_state_that_handles_its_error_or_that_ends_the_execution_at_once() -> None:
    handled = dict(_workflow_errors())
    unhandled = [error for error in IN_MATRIX if error not in handled]
    assert {(error.error, IN_MATRIX[error]) for error in unhandled} == {(name, 1) for name in UNHANDLED}
    states = {(workflow_name(path), state.name) for path in FILES for state in iter_states(load_workflow(path))}
    assert {(error.workflow, error.state) for error in unhandled} <= states


def test_no_error_is_in_the_matrix_twice() -> None:
    assert [error for error, count in Counter(error for error, _ in _matrix_errors()).items() if count > 1] == []


@pytest.mark.parametrize("row", [row for row in ROWS if row.run == "above"], ids=str)
def test_a_row_that_refers_to_another_row_has_one_that_runs(row: MatrixRow) -> None:
    assert row.error == "States.ALL"
    others = [other for other in ROWS if (other.workflow, other.state) == (row.workflow, row.state) and other != row]
    assert [other for other in others if other.ends_in == row.ends_in and other.run not in {"rule", "above"}], row


def test_the_columns_of_the_matrix_are_aligned() -> None:
    text = MATRIX.read_text()
    table = [line for line in text[text.index("workflow  ") :].splitlines() if line]
    starts = [table[0].index(name) for name in ("workflow", "state", "error", "fault", "ends-in", "http", "run")]
    assert len(table) == len(ROWS) + 1
    assert [line for line in table for at in starts if line[at] == " " or (at and line[at - 1] != " ")] == []
