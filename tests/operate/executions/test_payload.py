import json
from dataclasses import replace
from typing import Any

import pytest

from amberflo_workflows.operate.executions.graph import Node, build_graph
from amberflo_workflows.operate.executions.model import Execution, StateRun
from amberflo_workflows.operate.executions.payload import Payload, build_payloads
from tests.operate.executions.histories import ARN, FAILED, History


def _node(**state: Any) -> Node:
    states = {"A": {"Type": "Task", "Resource": "r", "End": True, **state}}
    return build_graph({"StartAt": "A", "States": states}).nodes[0]


def _execution(state_input: Any, **scheduled: Any) -> tuple[Execution, StateRun]:
    """An execution whose only state has two attempts."""
    history = History()
    history.add("ExecutionStarted", input='{"tenantId": "acme", "value": 1.50}')
    history.add("TaskStateEntered", name="A", input=json.dumps(state_input))
    for _ in range(2):
        history.add("LambdaFunctionScheduled", resource="r", **scheduled)
        history.add("LambdaFunctionFailed", **FAILED)
    execution = history.build_execution()
    return execution, execution.states[0]


def _compute(node: Node, state_input: Any) -> list[Any]:
    execution, run = _execution(state_input)
    return [payload and json.loads(payload.text) for payload in build_payloads(execution, node, run)]


def test_the_payload_is_that_of_the_history() -> None:
    execution, run = _execution({}, input='{"digits": 1.10}')
    assert build_payloads(execution, _node(), run) == [Payload('{"digits": 1.10}', is_recorded=True)] * 2
    # Steps of other services have parameters, as an object in a log.
    execution, run = _execution({}, parameters={"TableName": "t"})
    assert build_payloads(execution, _node(), run) == [Payload('{"TableName": "t"}', is_recorded=True)] * 2


def test_the_payload_is_computed_from_the_parameters() -> None:
    parameters = {
        "request.$": "$$.Execution.Input",
        "key.$": "$.apiKey",
        "execution": {"name.$": "$$.Execution.Name", "id.$": "$$.Execution.Id", "start.$": "$$.Execution.StartTime"},
        "retryCount.$": "$$.State.RetryCount",
        "entered.$": "$$.State.EnteredTime",
        "list": [{"whole.$": "$"}, 7],
    }
    state_input = {"apiKey": {"versionId": "v"}}
    first, second = _compute(_node(Parameters=parameters), state_input)
    assert first == {
        "request": {"tenantId": "acme", "value": 1.5},
        "key": {"versionId": "v"},
        "execution": {"name": "some-name", "id": ARN, "start": "2026-01-01T00:00:00.000Z"},
        "retryCount": 0,
        "entered": "2026-01-01T00:00:01.000Z",
        "list": [{"whole": state_input}, 7],
    }
    assert second == {**first, "retryCount": 1}


def test_without_parameters_the_payload_is_the_input_at_its_path() -> None:
    assert _compute(_node(), {"a": {"b": 1}}) == [{"a": {"b": 1}}] * 2
    assert _compute(_node(InputPath="$.a"), {"a": {"b": 1}}) == [{"b": 1}] * 2


@pytest.mark.parametrize(
    "path", ["$.missing", "$.list[0]", "$.list[*]", "States.Array($.list)", "$$.Map.Item.Value", "x"]
)
def test_a_payload_that_cannot_be_computed_is_not_known(path: str) -> None:
    assert _compute(_node(Parameters={"x.$": path}), {"list": [1]}) == [None, None]


def test_without_data_in_the_history_a_payload_is_not_known() -> None:
    execution, run = _execution({})
    assert build_payloads(replace(execution, input=None), _node(), run) == [None, None]
    assert build_payloads(execution, _node(), replace(run, input=None)) == [None, None]
    assert build_payloads(execution, replace(_node(), kind="Map"), run) == [None, None]
    states: list[dict[str, Any]] = [{"InputPath": None}, {"Arguments": {}}]
    for state in states:
        assert build_payloads(execution, _node(**state), run) == [None, None]
