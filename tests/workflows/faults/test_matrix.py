"""The cells whose fault is in Amberflo or in the table. Those of the secret are in ``test_secret.py``."""

from typing import Any

import pytest

from amberflo_workflows.local.system import System
from tests.polling import wait_until
from tests.workflows.faults.cells import (
    BATCH_REJECTED,
    SOAK,
    USAGE,
    Cell,
    actual_calls,
    build_faults,
    build_input,
    changed_environment,
    changed_state,
    check,
    expected_calls,
    parametrize_cells,
    start,
)

pytestmark = [pytest.mark.emulator, pytest.mark.meters("x")]

# A step times out before its state does, so the test shortens the state's timeout. In the soak it is long enough for
# the cold start of the next attempt, which needs a new process while the previous one still hangs.
STATE_SECONDS = 5 if SOAK else 0.3


@parametrize_cells("401", "429", "503")
def test_an_error_status_of_amberflo(system: System, cell: Cell) -> None:
    check(system, cell, start(system, cell, build_faults(cell, kind="status", status=int(cell.row.fault))))


@parametrize_cells("400")
def test_a_rejected_batch(system: System, cell: Cell) -> None:
    check(system, cell, start(system, cell, [BATCH_REJECTED]))


@parametrize_cells("hang")
def test_a_state_that_times_out(system: System, cell: Cell) -> None:
    with changed_state(
        system, cell.row.workflow, cell.row.state, lambda state: state.update(TimeoutSeconds=STATE_SECONDS)
    ):
        outcome = start(system, cell, build_faults(cell, kind="hang", seconds=STATE_SECONDS + 0.5))
    # The processes of attempts that timed out are still running.
    assert wait_until(lambda: actual_calls(system, cell.row.workflow) == expected_calls(cell))
    check(system, cell, outcome)
    assert outcome.http != 504 or "timed out" in outcome.body["message"]


def _build_rejected(system: System, cell: Cell) -> Any:
    """An input with a new ID that is put into the rejected table: an invalid usage, or an event without a tenant."""
    valid = build_input(system, cell.row.workflow)
    if cell.row.workflow == "ingest_usage":
        return {"usages": [{**valid["usages"][0], "usage": {**USAGE, "meterValue": "two"}}]}
    return {**valid, "detail": {}}


@parametrize_cells("again")
def test_an_item_that_is_already_in_the_table(system: System, cell: Cell) -> None:
    request = _build_rejected(system, cell)
    first = start(system, cell, [], request)
    second = start(system, cell, [], request)
    check(system, cell, second)
    assert second == first


@parametrize_cells("ledger")
def test_a_missing_ledger(system: System, cell: Cell) -> None:
    with changed_environment(system, cell.row.state, LEDGER_STREAM_NAME="missing"):
        check(system, cell, start(system, cell, []))


@parametrize_cells("bucket")
def test_a_missing_bucket(system: System, cell: Cell) -> None:
    with changed_environment(system, cell.row.state, LEDGER_BUCKET_NAME="missing"):
        check(system, cell, start(system, cell, []))


@parametrize_cells("table")
def test_a_missing_table(system: System, cell: Cell) -> None:
    with changed_state(
        system, cell.row.workflow, cell.row.state, lambda state: state["Parameters"].update(TableName="missing")
    ):
        check(system, cell, start(system, cell, [], _build_rejected(system, cell)))
