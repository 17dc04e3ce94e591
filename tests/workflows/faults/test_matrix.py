"""The cells whose error is Amberflo's or the table's; those of the secret are in ``test_secret.py``."""

from typing import Any

import pytest

from amberflo_workflows.local.system import System
from tests.polling import soon
from tests.workflows.faults.cells import (
    BATCH_REFUSED,
    SOAK,
    USAGE,
    Cell,
    changed,
    check,
    fault,
    good_input,
    made_calls,
    parametrized,
    start,
    told_calls,
)

pytestmark = pytest.mark.emulator

# A step gives up before its state does, so a state's time is cut to have it run out. In the soak it is enough for the
# cold start of the next try, whose process is a new one while the last still hangs.
STATE_SECONDS = 5 if SOAK else 0.3


@parametrized("401", "429", "503")
def test_a_status_of_amberflos(system: System, cell: Cell) -> None:
    check(system, cell, start(system, cell, fault(cell, kind="status", status=int(cell.line.struck_by))))


@parametrized("400")
def test_a_batch_that_is_refused(system: System, cell: Cell) -> None:
    check(system, cell, start(system, cell, [BATCH_REFUSED]))


@parametrized("hang")
def test_a_state_whose_time_is_over(system: System, cell: Cell) -> None:
    with changed(system, cell, lambda state: state.update(TimeoutSeconds=STATE_SECONDS)):
        outcome = start(system, cell, fault(cell, kind="hang", seconds=STATE_SECONDS + 0.5))
    # The processes of tries that the workflow has given up are still on their way.
    assert soon(lambda: made_calls(system) == told_calls(cell))
    check(system, cell, outcome)
    assert outcome.http != 504 or "timed out" in outcome.body["message"]


def _refused(system: System, cell: Cell) -> Any:
    """What is set aside, with an identity of its own: a usage that is wrong, an event that names no tenant."""
    good = good_input(system, cell.line.workflow)
    if cell.line.workflow == "ingest_usage":
        return {"usages": [{**good["usages"][0], "usage": {**USAGE, "meterValue": "two"}}]}
    return {**good, "detail": {}}


@parametrized("again")
def test_what_is_set_aside_already(system: System, cell: Cell) -> None:
    request = _refused(system, cell)
    first = start(system, cell, [], request)
    second = start(system, cell, [], request)
    check(system, cell, second)
    assert second == first


@parametrized("table")
def test_a_table_that_is_not_there(system: System, cell: Cell) -> None:
    with changed(system, cell, lambda state: state["Parameters"].update(TableName="missing")):
        check(system, cell, start(system, cell, [], _refused(system, cell)))
