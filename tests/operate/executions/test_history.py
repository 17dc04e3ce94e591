from datetime import timedelta

import pytest

from amberflo_workflows.operate.executions.model import Status
from tests.operate.executions.histories import BEGIN, FAILED, History, add_task, outline


def test_states_are_in_order_with_their_data() -> None:
    history = History().started()
    add_task(history, "First")
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
def test_each_attempt_has_its_error_and_the_wait_after_it(kind: str) -> None:
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
    attempts = [(attempt.status, attempt.error, attempt.wait_seconds) for attempt in state.tries]
    assert attempts == [
        (Status.FAILED, "Refused", 1.0),
        (Status.TIMED_OUT, "States.Timeout", 1.0),
        (Status.SUCCEEDED, "", None),
    ]
    assert (state.status, state.error) == (Status.SUCCEEDED, "")
    assert state.tries[0].start == BEGIN + timedelta(seconds=2)
    assert state.tries[0].end == BEGIN + timedelta(seconds=4)
    assert (state.tries[2].end, state.exited) == (BEGIN + timedelta(seconds=8), BEGIN + timedelta(seconds=9))


def test_a_caught_error_belongs_to_the_state_and_not_to_the_execution() -> None:
    history = History().started()
    add_task(history, "Send", failing=2, caught=True)
    history.add("PassStateEntered", name="Fix")
    history.add("PassStateExited", name="Fix")
    history.add("ExecutionSucceeded", output="1")
    execution = history.build_execution()
    assert outline(execution.states) == ["Send caught Refused x2", "Fix succeeded"]
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


def test_a_fail_state_has_the_error_of_the_execution() -> None:
    history = History().started()
    history.add("FailStateEntered", name="Give up")
    history.add("ExecutionFailed", error="GaveUp", cause="enough")
    assert outline(history.build_execution().states) == ["Give up failed GaveUp"]


@pytest.mark.parametrize(
    ("end", "status"),
    [(None, Status.RUNNING), ("ExecutionAborted", Status.ABORTED), ("ExecutionTimedOut", Status.TIMED_OUT)],
)
def test_open_states_end_with_the_execution(end: str | None, status: Status) -> None:
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
    (attempt,) = execution.states[0].map.iterations[0].states[0].tries
    assert (attempt.status, attempt.end) == (status, execution.summary.stopped)
    assert execution.summary.status is status
    assert (execution.summary.stopped is None) == (end is None)


def _interleaved_map(history: History) -> int:
    """Add a Map with three concurrent items: the second fails, the third is aborted.

    The previous ids are as on AWS, where the first event of an iteration may name a state of another iteration.
    """
    history.add("MapStateEntered", name="Each", input="[1,2,3]")
    started = history.add("MapStateStarted", length=3)
    first = history.add("MapIterationStarted", started, name="Each", index=0)
    second = history.add("MapIterationStarted", started, name="Each", index=1)
    first = history.add("PassStateEntered", first, name="P", input="1")
    second = history.add("PassStateEntered", second, name="P", input="2")
    first = history.add("PassStateExited", first, name="P", output='"one"')
    history.add("MapIterationSucceeded", first, name="Each", index=0)
    third = history.add("MapIterationStarted", first, name="Each", index=2)
    second = history.add("PassStateExited", second, name="P", output='"two"')
    third = history.add("TaskStateEntered", third, name="T")
    second = history.add("TaskStateEntered", second, name="T")
    third = history.add("LambdaFunctionScheduled", third, resource="r")
    second = history.add("LambdaFunctionScheduled", second, resource="r")
    second = history.add("LambdaFunctionFailed", second, **FAILED)
    second = history.add("MapIterationFailed", second, name="Each", index=1)
    history.add("MapIterationAborted", third, name="Each", index=2)
    return history.add("MapStateFailed", second)


INTERLEAVED_ITEMS = [
    ["0 succeeded", "P succeeded"],
    ["1 failed", "P succeeded", "T failed Refused"],
    ["2 aborted", "T aborted"],
]


def test_interleaved_events_of_a_map_are_assigned_to_their_items() -> None:
    history = History().started()
    history.add("ExecutionFailed", _interleaved_map(history), **FAILED)
    execution = history.build_execution()
    assert outline(execution.states) == ["Each failed Refused", *INTERLEAVED_ITEMS]
    run = execution.states[0].map
    assert run is not None
    assert (run.items, run.iterations[1].states[0].output) == (3, '"two"')
    assert run.iterations[0].ended == BEGIN + timedelta(seconds=8)


def test_a_map_that_failed_and_was_caught() -> None:
    history = History().started()
    history.add("MapStateExited", _interleaved_map(history), name="Each", output="{}")
    history.add("PassStateEntered", name="Fix")
    assert outline(history.build_execution().states) == ["Each caught Refused", *INTERLEAVED_ITEMS, "Fix running"]


def test_a_retried_map_has_the_items_of_its_last_attempt() -> None:
    history = History().started()
    _interleaved_map(history)
    started = history.add("MapStateStarted", length=3)
    history.add("MapIterationStarted", started, name="Each", index=0)
    last = add_task(history, "T")
    history.add("MapIterationSucceeded", last, name="Each", index=0)
    history.add("MapStateSucceeded")
    history.add("MapStateExited", last, name="Each", output="[]")
    (state,) = history.build_execution().states
    assert outline([state]) == ["Each succeeded x2", ["0 succeeded", "T succeeded"]]
    assert (state.tries[0].error, state.tries[0].wait_seconds) == ("Refused", 1.0)


def test_interleaved_events_of_a_parallel_are_assigned_to_their_branches() -> None:
    history = History().started()
    history.add("ParallelStateEntered", name="Both")
    started = history.add("ParallelStateStarted")
    left = history.add("PassStateEntered", started, name="Left")
    right = history.add("PassStateEntered", started, name="Right")
    left = history.add("PassStateExited", left, name="Left")
    left = history.add("PassStateEntered", left, name="Left 2")
    right = history.add("PassStateExited", right, name="Right")
    left = history.add("PassStateExited", left, name="Left 2")
    # On AWS, the exit names a state in a branch as previous.
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
    last = add_task(history, "T")
    history.add("MapIterationSucceeded", last, name="Inner", index=0)
    last = history.add("MapStateExited", name="Inner")
    history.add("MapIterationSucceeded", last, name="Outer", index=0)
    history.add("MapStateExited", name="Outer")
    assert outline(history.build_execution().states) == [
        "Outer succeeded",
        ["0 succeeded", "Inner succeeded", ["0 succeeded", "T succeeded"]],
    ]


@pytest.mark.parametrize(("how", "status"), [("Succeeded", Status.SUCCEEDED), ("Failed", Status.CAUGHT)])
def test_a_distributed_map_has_the_arn_of_its_run(how: str, status: Status) -> None:
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


def test_a_redriven_execution_continues_where_it_failed() -> None:
    history = History().started()
    history.add("TaskStateEntered", name="Send")
    history.add("LambdaFunctionScheduled", resource="r")
    history.add("LambdaFunctionFailed", **FAILED)
    history.add("ExecutionFailed", **FAILED)
    history.add("ExecutionRedriven", redriveCount=1)
    redriven = history.build_execution()
    assert (redriven.summary.status, redriven.summary.stopped) == (Status.RUNNING, None)
    assert outline(redriven.states) == ["Send running"]
    history.add("LambdaFunctionScheduled", resource="r")
    history.add("LambdaFunctionSucceeded")
    history.add("TaskStateExited", name="Send")
    history.add("ExecutionSucceeded")
    execution = history.build_execution()
    assert outline(execution.states) == ["Send succeeded x2"]
    assert (execution.summary.status, execution.error) == (Status.SUCCEEDED, "")


def test_an_unknown_event_type_is_ignored() -> None:
    history = History().started()
    history.add("TaskStateEntered", name="Send")
    history.add("SomethingNew", name="Send")
    history.add("TaskStateExited", name="Send")
    assert outline(history.build_execution().states) == ["Send succeeded"]


def test_an_incomplete_history_is_a_running_execution() -> None:
    history = History().started()
    add_task(history, "First", failing=1)
    history.add("MapStateExited", _interleaved_map(history), name="Each", output="{}")
    history.add("ExecutionSucceeded", output="1")
    for length in range(1, len(history.events)):
        execution = History(history.events[:length]).build_execution()
        assert execution.summary.status is Status.RUNNING
        assert len(execution.events) == length
