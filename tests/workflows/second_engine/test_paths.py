"""No state reads a path that matches nothing: for moto that is an error, where the emulator returns null or a list.

AWS ends such an execution with ``States.Runtime``, which no rule can catch.
"""

from itertools import repeat
from pathlib import Path
from typing import Any

import pytest

from tests.workflows.asl import FILES, workflow_name
from tests.workflows.second_engine.engine import MotoEngine, MotoExecution
from tests.workflows.second_engine.replay import WORKFLOWS, build_input, list_functions
from tests.workflows.second_engine.stand_in import Output, StandIn, send_usages

# These return no response, but an outcome.
OUTCOMES = {
    "ResolveApiKey",
    "BackfillSendRange",
    "BackfillSumUp",
    "WriteReceipt",
    "WriteCancellation",
    "SortBatch",
    "PlanComparison",
    "CompareHours",
    "WriteReport",
    "SendUsagesAgain",
    "SumUpReplay",
    "CheckPeriod",
}
RESPONDING = [
    (workflow, state)
    for workflow in WORKFLOWS
    for state, function in list_functions(workflow).items()
    # What a usage alone is, the step has checked in its chunk.
    if function not in OUTCOMES and state != "SendUsage"
]
SYNCHRONOUS = [path for path in FILES if workflow_name(path) not in {"create_customer", "delete_customer"}]


def _run(engine: MotoEngine, workflow: str, request: Any, outputs: dict[str, Output], **errors: Any) -> MotoExecution:
    return engine.run(WORKFLOWS[workflow], request, StandIn(list_functions(workflow), errors, outputs))


@pytest.mark.parametrize(
    ("rejected", "collected_by"),
    [((), "CollectCounted"), ((0, 1), "CollectRejected"), ((1,), "CollectOutcomes")],
)
def test_usages_that_are_sent_alone_are_collected_whatever_their_outcome(
    engine: MotoEngine, rejected: tuple[int, ...], collected_by: str
) -> None:
    execution = _run(
        engine,
        "ingest_usage",
        build_input(caller_waits=True),
        {"SendUsage": lambda event: send_usages(event, *rejected)},
        SendForCaller=repeat("AmberfloBatchRejected"),
    )
    assert execution.error == "", execution.cause
    data = execution.output["body"]["data"]
    assert data["uniqueIds"] == [f"e{place}" for place in range(2) if place not in rejected]
    assert (data["accepted"], len(data["rejected"])) == (2 - len(rejected), len(rejected))
    assert collected_by in execution.states


@pytest.mark.parametrize(("workflow", "state"), RESPONDING)
@pytest.mark.parametrize("status", [400, 404, 409, 413])
def test_an_error_response_of_any_step_is_the_output(
    engine: MotoEngine, workflow: str, state: str, status: int
) -> None:
    response = {"statusCode": status, "body": {"message": "no"}}
    request = build_input(caller_waits=state != "SendInBackground")
    execution = _run(engine, workflow, request, {state: lambda _event: response})
    assert (execution.error, execution.output) == ("", response), execution.cause


@pytest.mark.parametrize("path", SYNCHRONOUS, ids=workflow_name)
@pytest.mark.parametrize("request_", [None, [], "text", 5, {}, {"usages": None}], ids=str)
def test_a_step_sees_any_input_before_a_state_reads_it(engine: MotoEngine, path: Path, request_: Any) -> None:
    response = {"statusCode": 400, "body": {"message": "no"}}
    workflow = workflow_name(path)
    outputs: dict[str, Output] = {state: lambda _event: response for state in _responding_states(workflow)}
    execution = _run(engine, workflow, request_, outputs)
    assert (execution.error, execution.output) == ("", response), execution.cause


def _responding_states(workflow: str) -> list[str]:
    return [state for other, state in RESPONDING if other == workflow]


def test_a_slice_is_continued_until_all_of_it_is_sent(engine: MotoEngine) -> None:
    slices = []

    def send(event: dict[str, Any]) -> dict[str, Any]:
        slices.append(event["slice"])
        counts = {"sent": 5 * len(slices), "rejected": 1, "cancelled": 2, "tooOld": 3}
        return {"start": 10 * len(slices), "end": 30, **counts, "isSent": len(slices) == 3}

    execution = _run(engine, "replay_usage", {}, {"SendUsagesAgain": send})
    assert [part["start"] for part in slices] == [0, 10, 20]
    data = {"sent": 15, "rejected": 1, "cancelled": 2, "tooOld": 3, "slices": 1, "dryRun": False}
    assert (execution.error, execution.output) == ("", {"statusCode": 200, "body": {"data": data}}), execution.cause
