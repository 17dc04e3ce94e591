"""Histories that tell less than AWS's own: logs of errors, logs with lost lines, the emulator's."""

import json
import sys
from collections.abc import Callable
from datetime import timedelta

import pytest

from amberflo_workflows.operate.executions.graph import build_graph
from amberflo_workflows.operate.executions.history import UNKNOWN_STATE
from amberflo_workflows.operate.executions.model import Execution, Status, TaskCount
from tests.operate.executions.histories import BEGIN, FAILED, History, outline, recorded, task


def test_where_only_errors_are_logged_the_tries_are_known() -> None:
    whole = History().started()
    whole.add("TaskStateEntered", name="Send")
    for _ in range(2):
        whole.add("LambdaFunctionScheduled", resource="r")
        whole.add("LambdaFunctionFailed", **FAILED)
    whole.add("ExecutionFailed", **FAILED)
    logged = History([event for event in whole.events if event.type.endswith("Failed")])
    execution = logged.build_execution()
    assert outline(execution.states) == [f"{UNKNOWN_STATE} failed Refused x2"]
    assert (execution.summary.status, execution.summary.started, execution.input) == (
        Status.FAILED,
        BEGIN + timedelta(seconds=3),
        None,
    )


def test_lost_lines_of_a_log_cost_no_more_than_what_they_told() -> None:
    history = History().started()
    task(history, "First")
    task(history, "Second", failing=1)
    history.add("ExecutionSucceeded", output="1")
    complete = history.build_execution()
    for lost in range(1, len(history.events) - 1):
        rest = History([event for event in history.events if event.id != lost + 1]).build_execution()
        assert rest.summary.status is Status.SUCCEEDED
        assert len({state.name for state in rest.states} - {UNKNOWN_STATE}) >= len(complete.states) - 1


def test_the_lost_ends_of_inner_maps_do_not_hide_the_outer_ones() -> None:
    history = History().started()
    for name in ("Outer", "Inner"):
        history.add("MapStateEntered", name=name)
        history.add("MapStateStarted", length=1)
        history.add("MapIterationStarted", name=name, index=0)
    history.add("PassStateEntered", name="P")
    history.add("MapStateExited", name="Outer")
    assert outline(history.build_execution().states) == [
        "Outer succeeded",
        ["0 succeeded", "Inner succeeded", ["0 succeeded", "P succeeded"]],
    ]
    rest = History([event for event in history.events if event.type != "MapStateEntered"])
    assert outline(rest.build_execution().states) == ["P running"]


def test_the_emulators_history_of_a_real_run() -> None:
    execution = recorded("ingest_one_by_one", "ingest_usage")
    assert outline(execution.states) == [
        "ResolveApiKey succeeded",
        "IsCallerWaiting succeeded",
        "SendForCaller caught AmberfloBatchRejected",
        "SendOneByOne succeeded",
        "CheckOutcome succeeded",
        "SaveRejectedUsages succeeded",
        "BuildResponse succeeded",
    ]
    assert [state.tasks for state in execution.states if state.map] == [TaskCount(3, 3, 0), TaskCount(2, 2, 0)]
    assert json.loads(execution.output or "")["statusCode"] == 200


def test_the_emulators_history_of_a_run_that_was_retried() -> None:
    execution = recorded("list_meters_retried", "list_meters")
    assert outline(execution.states) == ["ResolveApiKey succeeded", "ListMeters succeeded x3"]
    assert [one.error for one in execution.states[1].tries] == ["AmberfloUnavailable", "AmberfloUnavailable", ""]
    assert [one.wait_seconds for one in execution.states[1].tries] == [0.2, 0.4, None]


def test_the_emulators_history_of_a_child_has_neither_states_nor_beginning_nor_end() -> None:
    execution = recorded("backfill_child", "backfill_usage")
    assert [(state.status, json.loads(state.output or "")["accepted"]) for state in execution.states] == [
        (Status.SUCCEEDED, 100)
    ]
    assert (execution.summary.status, json.loads(execution.input or "")["range"]["begin"]) == (Status.SUCCEEDED, 38)
    assert execution.summary.stopped == execution.states[0].exited
    assert execution.summary.stopped != execution.summary.started


DEFINITION = {
    "StartAt": "Each",
    "States": {
        "Each": {"Type": "Map", "Next": "Good", "Catch": [{"ErrorEquals": ["Refused"], "Next": "Mend"}]},
        "Good": {"Type": "Task", "Resource": "r", "End": True},
        "Mend": {"Type": "Pass", "End": True},
    },
}


@pytest.mark.parametrize(
    ("after", "status", "error"), [("Mend", Status.CAUGHT, "Refused"), ("Good", Status.SUCCEEDED, "")]
)
def test_that_the_emulator_caught_a_maps_error_is_seen_from_where_it_went(
    after: str, status: Status, error: str
) -> None:
    history = History().started()
    history.add("MapStateEntered", name="Each")
    history.add("TaskScheduled", resource="r")
    history.add("TaskScheduled", resource="r")
    history.add("TaskFailed", **FAILED)
    history.add("TaskSucceeded")
    history.add("MapStateExited", name="Each")
    history.add("PassStateEntered", name=after)
    states = history.as_emulated().build_execution(build_graph(DEFINITION)).states
    assert (states[0].status, states[0].error, states[0].tasks) == (status, error, TaskCount(2, 1, 1))


def test_a_child_on_the_emulator_whose_error_was_caught() -> None:
    history = History().started()
    history.add("TaskScheduled", resource="r")
    history.add("TaskFailed", **FAILED)
    history.add("TaskScheduled", resource="r")
    history.add("TaskFailed", **FAILED)
    history.add("TaskScheduled", resource="other")
    history.add("TaskSucceeded", output="{}")
    states = history.as_emulated().build_execution(build_graph(DEFINITION)).states
    assert outline(states) == ["Good caught Refused x2", f"{UNKNOWN_STATE} succeeded"]
    assert states[1].output == "{}"


def _calls(work: Callable[[], Execution]) -> int:
    """How many functions are called, which a busy machine does not change."""
    count = 0

    def counted(_frame: object, event: str, _arg: object) -> None:
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(counted)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def _long(items: int) -> History:
    history = History().started()
    history.add("MapStateEntered", name="Each")
    last = history.add("MapStateStarted", length=items)
    for index in range(items):
        history.add("MapIterationStarted", last, name="Each", index=index)
        last = task(history, "One", failing=1)
        history.add("MapIterationSucceeded", last, name="Each", index=index)
    history.add("MapStateExited", last, name="Each")
    return history


def test_twice_as_many_events_are_twice_the_work() -> None:
    small, large = _long(100), _long(200)
    assert 1.9 < _calls(large.build_execution) / _calls(small.build_execution) < 2.1
