"""The matrix and the workflows name the same states and errors, and count the same tries."""

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from tests.workflows.asl import FILES, definition, states
from tests.workflows.faults.table import MATRIX, Line, lines

LINES = lines()
# The workflow reads the key anew once; a second refusal is one too many.
REFRESHED = "AmberfloUnauthorized"
# What a workflow does not name ends it at once. That is worth a line where a caller is told of it.
UNNAMED = {"ApiKeyUnavailable"}


class Named(NamedTuple):
    workflow: str
    state: str
    error: str


def _tries(state: dict[str, Any], error: str) -> int:
    retries = [retrier["MaxAttempts"] for retrier in state.get("Retry", []) if error in retrier["ErrorEquals"]]
    return 2 if error == REFRESHED else sum(retries) + 1


def _of_the_workflows() -> Iterator[tuple[Named, int]]:
    for path in FILES:
        for state, body in states(definition(path)):
            for rule in body.get("Retry", []) + body.get("Catch", []):
                for error in rule["ErrorEquals"]:
                    yield Named(path.name.removesuffix(".asl.json"), state, error), _tries(body, error)


def _of_the_matrix() -> Iterator[tuple[Named, int]]:
    for line in LINES:
        for error in line.errors:
            yield Named(line.workflow, line.state, error), line.tries


TOLD = dict(_of_the_matrix())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name.removesuffix(".asl.json"))
def test_every_error_that_a_state_names_has_a_line_with_as_many_tries(path: Any) -> None:
    workflow = path.name.removesuffix(".asl.json")
    named = {one: tries for one, tries in _of_the_workflows() if one.workflow == workflow}
    assert named
    assert {one: TOLD.get(one) for one in named} == named


def test_every_line_has_a_state_that_names_its_error_or_ends_by_it_at_once() -> None:
    named = dict(_of_the_workflows())
    left = [one for one in TOLD if one not in named]
    assert {(one.error, TOLD[one]) for one in left} == {(error, 1) for error in UNNAMED}
    known = {(path.name.removesuffix(".asl.json"), name) for path in FILES for name, _ in states(definition(path))}
    assert {(one.workflow, one.state) for one in left} <= known


def test_nothing_stands_in_the_matrix_twice() -> None:
    assert [one for one, count in Counter(one for one, _ in _of_the_matrix()).items() if count > 1] == []


@pytest.mark.parametrize("line", [line for line in LINES if line.run == "above"], ids=str)
def test_what_is_said_to_be_had_by_another_line_is(line: Line) -> None:
    assert line.error == "States.ALL"
    others = [one for one in LINES if (one.workflow, one.state) == (line.workflow, line.state) and one != line]
    assert [one for one in others if one.ends_in == line.ends_in and one.run not in {"rule", "above"}], line


def test_the_columns_of_the_matrix_are_aligned() -> None:
    rows = [row for row in MATRIX.read_text().splitlines() if len(row.split()) == 10 and row[0] != " "]
    head = next(row for row in rows if row.startswith("workflow "))
    begins = [head.index(word) for word in ("workflow", "state", "error", "struck-by", "ends-in", "http", "run")]
    told = rows[rows.index(head) :]
    assert len(told) == len(LINES) + 1
    assert [row for row in told for at in begins if row[at] == " " or (at and row[at - 1] != " ")] == []
