from datetime import timedelta

import pytest

from amberflo_workflows.operate.executions.model import Status
from tests.operate.executions.histories import BEGIN, FAILED, History, outline, task


def test_states_follow_one_another_with_their_data() -> None:
    history = History().started()
    task(history, "First")
    history.add("ChoiceStateEntered", name="Which", input="{}")
    history.add("ChoiceStateExited", name="Which", output="{}")
    history.add("ExecutionSucceeded", output='"answer"')
    execution = history.build_execution()
    assert outline(execution.states) == ["First succeeded", "Which succeeded"]
    assert (execution.input, execution.output) == ("{}", '"answer"')
    assert (execution.states[0].input, execution.states[0].output) == ("{}", '{"done": true}')
    assert (execution.summary.status, execution.summary.stopped) == (Status.SUCCEEDED, BEGIN + timedelta(seconds=8))
    assert execution.log_name == "some-name"


@pytest.mark.parametrize("kind", ["LambdaFunction", "Task", "Activity"])
def test_each_try_has_its_error_and_the_wait_after_it(kind: str) -> None:
    history = History().started()
    history.add("TaskStateEntered", name="Send")
    history.add(f"{kind}Scheduled", resource="r")
    history.add(f"{kind}Started")
    history.add(f"{kind}Failed", **FAILED)
    history.add(f"{kind}Scheduled", resource="r")
    history.add(f"{kind}TimedOut", error="States.Timeout")
    history.add(f"{kind}Scheduled", resource="r")
    history.add(f"{kind}Succeeded")
    history.add("TaskStateExited", name="Send")
    (state,) = history.build_execution().states
    told = [(one.status, one.error, one.wait_seconds) for one in state.tries]
    assert told == [
        (Status.FAILED, "Refused", 1.0),
        (Status.TIMED_OUT, "States.Timeout", 1.0),
        (Status.SUCCEEDED, "", None),
    ]
    assert (state.status, state.error) == (Status.SUCCEEDED, "")
    assert state.tries[0].start == BEGIN + timedelta(seconds=2)
    assert state.tries[0].end == BEGIN + timedelta(seconds=4)
    assert (state.tries[2].end, state.exited) == (BEGIN + timedelta(seconds=8), BEGIN + timedelta(seconds=9))


def test_a_caught_error_is_told_and_is_not_the_executions() -> None:
    history = History().started()
    task(history, "Send", failing=2, caught=True)
    history.add("PassStateEntered", name="Mend")
    history.add("PassStateExited", name="Mend")
    history.add("ExecutionSucceeded", output="1")
    execution = history.build_execution()
    assert outline(execution.states) == ["Send caught Refused x2", "Mend succeeded"]
    assert (execution.states[0].cause, execution.error) == ('{"errorMessage": "no"}', "")


def test_a_state_that_fails_fails_the_execution() -> None:
    history = History().started()
    history.add("TaskStateEntered", name="Send")
    history.add("LambdaFunctionScheduled", resource="r")
    history.add("LambdaFunctionFailed", **FAILED)
    history.add("ExecutionFailed", **FAILED)
    execution = history.build_execution()
    assert outline(execution.states) == ["Send failed Refused"]
    assert (execution.summary.status, execution.error, execution.cause) == (Status.FAILED, *FAILED.values())


def test_a_fail_state_takes_the_executions_error() -> None:
    history = History().started()
    history.add("FailStateEntered", name="Give up")
    history.add("ExecutionFailed", error="GaveUp", cause="enough")
    assert outline(history.build_execution().states) == ["Give up failed GaveUp"]


@pytest.mark.parametrize(
    ("end", "status"),
    [(None, Status.RUNNING), ("ExecutionAborted", Status.ABORTED), ("ExecutionTimedOut", Status.TIMED_OUT)],
)
def test_what_is_under_way_ends_as_the_execution_does(end: str | None, status: Status) -> None:
    history = History().started()
    history.add("MapStateEntered", name="Each")
    started = history.add("MapStateStarted", length=1)
    history.add("MapIterationStarted", started, name="Each", index=0)
    history.add("TaskStateEntered", name="One")
    history.add("LambdaFunctionScheduled", resource="r")
    if end:
        history.add(end)
    execution = history.build_execution()
    assert outline(execution.states) == [f"Each {status}", [f"0 {status}", f"One {status}"]]
    assert execution.states[0].map is not None
    (one,) = execution.states[0].map.iterations[0].states[0].tries
    assert (one.status, one.end) == (status, execution.summary.stopped)
    assert execution.summary.status is status
    assert (execution.summary.stopped is None) == (end is None)


def _interleaved_map(history: History) -> int:
    """Three items at once: the second fails, the third is aborted. The ids of AWS, whose first event of an
    iteration may name a state of another."""
    history.add("MapStateEntered", name="Each", input="[1,2,3]")
    started = history.add("MapStateStarted", length=3)
    zero = history.add("MapIterationStarted", started, name="Each", index=0)
    one = history.add("MapIterationStarted", started, name="Each", index=1)
    zero = history.add("PassStateEntered", zero, name="P", input="1")
    one = history.add("PassStateEntered", one, name="P", input="2")
    zero = history.add("PassStateExited", zero, name="P", output='"one"')
    history.add("MapIterationSucceeded", zero, name="Each", index=0)
    two = history.add("MapIterationStarted", zero, name="Each", index=2)
    one = history.add("PassStateExited", one, name="P", output='"two"')
    two = history.add("TaskStateEntered", two, name="T")
    one = history.add("TaskStateEntered", one, name="T")
    two = history.add("LambdaFunctionScheduled", two, resource="r")
    one = history.add("LambdaFunctionScheduled", one, resource="r")
    one = history.add("LambdaFunctionFailed", one, **FAILED)
    one = history.add("MapIterationFailed", one, name="Each", index=1)
    history.add("MapIterationAborted", two, name="Each", index=2)
    return history.add("MapStateFailed", one)


OF_THE_MAP = [
    ["0 succeeded", "P succeeded"],
    ["1 failed", "P succeeded", "T failed Refused"],
    ["2 aborted", "T aborted"],
]


def test_items_of_a_map_are_told_apart_though_their_events_come_mixed() -> None:
    history = History().started()
    history.add("ExecutionFailed", _interleaved_map(history), **FAILED)
    execution = history.build_execution()
    assert outline(execution.states) == ["Each failed Refused", *OF_THE_MAP]
    run = execution.states[0].map
    assert run is not None
    assert (run.items, run.iterations[1].states[0].output) == (3, '"two"')
    assert run.iterations[0].ended == BEGIN + timedelta(seconds=8)


def test_a_map_that_failed_and_was_caught() -> None:
    history = History().started()
    history.add("MapStateExited", _interleaved_map(history), name="Each", output="{}")
    history.add("PassStateEntered", name="Mend")
    assert outline(history.build_execution().states) == ["Each caught Refused", *OF_THE_MAP, "Mend running"]


def test_a_map_that_is_tried_again_shows_the_items_of_the_last_try() -> None:
    history = History().started()
    _interleaved_map(history)
    started = history.add("MapStateStarted", length=3)
    history.add("MapIterationStarted", started, name="Each", index=0)
    last = task(history, "T")
    history.add("MapIterationSucceeded", last, name="Each", index=0)
    history.add("MapStateSucceeded")
    history.add("MapStateExited", last, name="Each", output="[]")
    (state,) = history.build_execution().states
    assert outline([state]) == ["Each succeeded x2", ["0 succeeded", "T succeeded"]]
    assert (state.tries[0].error, state.tries[0].wait_seconds) == ("Refused", 1.0)


def test_the_branches_of_a_parallel_are_told_apart() -> None:
    history = History().started()
    history.add("ParallelStateEntered", name="Both")
    started = history.add("ParallelStateStarted")
    left = history.add("PassStateEntered", started, name="Left")
    right = history.add("PassStateEntered", started, name="Right")
    left = history.add("PassStateExited", left, name="Left")
    left = history.add("PassStateEntered", left, name="Left 2")
    right = history.add("PassStateExited", right, name="Right")
    left = history.add("PassStateExited", left, name="Left 2")
    # On AWS it names a state in a branch.
    history.add("ParallelStateExited", right, name="Both", output="[]")
    history.add("PassStateEntered", name="Next")
    states = history.build_execution().states
    assert outline(states) == [
        "Both succeeded",
        ["Left succeeded", "Left 2 succeeded"],
        ["Right succeeded"],
        "Next running",
    ]


def test_a_branch_that_fails_aborts_the_others() -> None:
    history = History().started()
    history.add("ParallelStateEntered", name="Both")
    started = history.add("ParallelStateStarted")
    left = history.add("TaskStateEntered", started, name="Left")
    right = history.add("FailStateEntered", started, name="Right")
    history.add("TaskScheduled", left, resource="r")
    history.add("ParallelStateFailed", right)
    history.add("ExecutionFailed", error="Gave", cause="up")
    states = history.build_execution().states
    assert outline(states) == ["Both failed Gave", ["Left aborted"], ["Right failed"]]


def test_a_state_that_is_aborted_with_its_parallel() -> None:
    history = History().started()
    history.add("ParallelStateEntered", name="Both")
    started = history.add("ParallelStateStarted")
    left = history.add("WaitStateEntered", started, name="Left")
    history.add("FailStateEntered", started, name="Right")
    aborted = history.add("WaitStateAborted", left)
    history.add("ParallelStateFailed", aborted)
    states = history.build_execution().states
    assert outline(states) == ["Both running", ["Left aborted"], ["Right running"]]
    assert states[0].branches[0][0].exited == BEGIN + timedelta(seconds=aborted - 1)


def test_a_map_within_a_map() -> None:
    history = History().started()
    history.add("MapStateEntered", name="Outer")
    history.add("MapStateStarted", length=1)
    history.add("MapIterationStarted", name="Outer", index=0)
    history.add("MapStateEntered", name="Inner")
    history.add("MapStateStarted", length=1)
    history.add("MapIterationStarted", name="Inner", index=0)
    last = task(history, "T")
    history.add("MapIterationSucceeded", last, name="Inner", index=0)
    last = history.add("MapStateExited", name="Inner")
    history.add("MapIterationSucceeded", last, name="Outer", index=0)
    history.add("MapStateExited", name="Outer")
    assert outline(history.build_execution().states) == [
        "Outer succeeded",
        ["0 succeeded", "Inner succeeded", ["0 succeeded", "T succeeded"]],
    ]


@pytest.mark.parametrize(("how", "status"), [("Succeeded", Status.SUCCEEDED), ("Failed", Status.CAUGHT)])
def test_a_distributed_map_tells_where_its_children_are(how: str, status: Status) -> None:
    history = History().started()
    history.add("MapStateEntered", name="Each")
    history.add("MapStateStarted", length=0)
    history.add("MapRunStarted", mapRunArn="arn:of:the:run")
    error = "States.ExceedToleratedFailureThreshold" if how == "Failed" else ""
    history.add(f"MapRun{how}", error=error)
    history.add(f"MapState{how}")
    history.add("MapStateExited", name="Each")
    (state,) = history.build_execution().states
    assert state.map is not None
    assert (state.map.arn, state.status) == ("arn:of:the:run", status)
    assert state.error == error


def test_a_redriven_execution_goes_on_where_it_failed() -> None:
    history = History().started()
    history.add("TaskStateEntered", name="Send")
    history.add("LambdaFunctionScheduled", resource="r")
    history.add("LambdaFunctionFailed", **FAILED)
    history.add("ExecutionFailed", **FAILED)
    history.add("ExecutionRedriven", redriveCount=1)
    goes_on = history.build_execution()
    assert (goes_on.summary.status, goes_on.summary.stopped) == (Status.RUNNING, None)
    assert outline(goes_on.states) == ["Send running"]
    history.add("LambdaFunctionScheduled", resource="r")
    history.add("LambdaFunctionSucceeded")
    history.add("TaskStateExited", name="Send")
    history.add("ExecutionSucceeded")
    execution = history.build_execution()
    assert outline(execution.states) == ["Send succeeded x2"]
    assert (execution.summary.status, execution.error) == (Status.SUCCEEDED, "")


def test_a_type_that_came_into_being_later_is_passed_over() -> None:
    history = History().started()
    history.add("TaskStateEntered", name="Send")
    history.add("SomethingNew", name="Send")
    history.add("TaskStateExited", name="Send")
    assert outline(history.build_execution().states) == ["Send succeeded"]


def test_any_beginning_of_a_history_is_one_that_runs() -> None:
    history = History().started()
    task(history, "First", failing=1)
    history.add("MapStateExited", _interleaved_map(history), name="Each", output="{}")
    history.add("ExecutionSucceeded", output="1")
    for length in range(1, len(history.events)):
        begun = History(history.events[:length]).build_execution()
        assert begun.summary.status is Status.RUNNING
        assert len(begun.events) == length
