"""Histories with fewer events than AWS's own: logs of errors, logs with lost lines, the emulator's."""

import json
import sys
from collections.abc import Callable
from datetime import timedelta

import pytest

from amberflo_workflows.operate.executions.graph import build_graph
from amberflo_workflows.operate.executions.history import UNKNOWN_STATE
from amberflo_workflows.operate.executions.model import Execution, Status, TaskCount
from tests.operate.executions.histories import BEGIN, FAILED, History, add_task, load_execution, outline


def test_a_log_of_errors_has_the_failed_attempts() -> None:
    complete = History().started()
    complete.add("TaskStateEntered", name="Send")
    for _ in range(2):
        complete.add("LambdaFunctionScheduled", resource="r")
        complete.add("LambdaFunctionFailed", **FAILED)
    complete.add("ExecutionFailed", **FAILED)
    logged = History([event for event in complete.events if event.type.endswith("Failed")])
    execution = logged.build_execution()
    assert outline(execution.states) == [f"{UNKNOWN_STATE} failed Refused x2"]
    assert (execution.summary.status, execution.summary.started, execution.input) == (
        Status.FAILED,
        BEGIN + timedelta(seconds=3),
        None,
    )


def test_lost_log_lines_lose_at_most_one_state() -> None:
    history = History().started()
    add_task(history, "First")
    add_task(history, "Second", failing=1)
    history.add("ExecutionSucceeded", output="1")
    complete = history.build_execution()
    for lost in range(1, len(history.events) - 1):
        rest = History([event for event in history.events if event.id != lost + 1]).build_execution()
        assert rest.summary.status is Status.SUCCEEDED
        assert len({state.name for state in rest.states} - {UNKNOWN_STATE}) >= len(complete.states) - 1


def test_lost_ends_of_inner_maps_do_not_hide_the_outer_maps() -> None:
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


def test_the_emulators_history_of_a_real_execution() -> None:
    execution = load_execution("ingest_one_by_one", "ingest_usage")
    assert outline(execution.states) == [
        "ResolveApiKey succeeded",
        "IsCallerWaiting succeeded",
        "SendForCaller caught AmberfloBatchRejected",
        "SendOneByOne succeeded",
        "CompareOutcomes succeeded",
        "CollectOutcomes succeeded",
        "CheckOutcome succeeded",
        "WriteReceipt succeeded",
        "WereUsagesRejected succeeded",
        "SaveRejectedUsages succeeded",
        "BuildResponse succeeded",
    ]
    assert [state.tasks for state in execution.states if state.map] == [TaskCount(3, 3, 0), TaskCount(2, 2, 0)]
    assert json.loads(execution.output or "")["statusCode"] == 200


def test_the_emulators_history_of_an_execution_with_retries() -> None:
    execution = load_execution("list_meters_retried", "list_meters")
    assert outline(execution.states) == ["ResolveApiKey succeeded", "ListMeters succeeded x3"]
    assert [attempt.error for attempt in execution.states[1].tries] == [
        "AmberfloUnavailable",
        "AmberfloUnavailable",
        "",
    ]
    assert [attempt.wait_seconds for attempt in execution.states[1].tries] == [0.2, 0.4, None]


def test_the_emulators_history_of_a_child_lacks_states_start_and_end() -> None:
    execution = load_execution("backfill_child", "backfill_usage")
    assert [(state.status, json.loads(state.output or "")["accepted"]) for state in execution.states] == [
        (Status.SUCCEEDED, 100)
    ]
    assert (execution.summary.status, json.loads(execution.input or "")["range"]["begin"]) == (Status.SUCCEEDED, 38)
    assert execution.summary.stopped == execution.states[0].exited
    assert execution.summary.stopped != execution.summary.started


DEFINITION = {
    "StartAt": "Each",
    "States": {
        "Each": {"Type": "Map", "Next": "Good", "Catch": [{"ErrorEquals": ["Refused"], "Next": "Fix"}]},
        "Good": {"Type": "Task", "Resource": "r", "End": True},
        "Fix": {"Type": "Pass", "End": True},
    },
}


@pytest.mark.parametrize(
    ("after", "status", "error"), [("Fix", Status.CAUGHT, "Refused"), ("Good", Status.SUCCEEDED, "")]
)
def test_a_caught_error_of_a_map_on_the_emulator_is_inferred_from_the_next_state(
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


def test_a_child_on_the_emulator_with_a_caught_error() -> None:
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


def _count_calls(build: Callable[[], Execution]) -> int:
    """Count function calls, which do not depend on the load of the machine."""
    count = 0

    def profile(_frame: object, event: str, _arg: object) -> None:
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        build()
    finally:
        sys.setprofile(before)
    return count


def _build_long_history(items: int) -> History:
    history = History().started()
    history.add("MapStateEntered", name="Each")
    last = history.add("MapStateStarted", length=items)
    for index in range(items):
        history.add("MapIterationStarted", last, name="Each", index=index)
        last = add_task(history, "One", failing=1)
        history.add("MapIterationSucceeded", last, name="Each", index=index)
    history.add("MapStateExited", last, name="Each")
    return history


def test_the_work_is_linear_in_the_number_of_events() -> None:
    small, large = _build_long_history(100), _build_long_history(200)
    assert 1.9 < _count_calls(large.build_execution) / _count_calls(small.build_execution) < 2.1
