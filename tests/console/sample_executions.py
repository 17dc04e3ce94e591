"""Synthetic executions: with every status, larger than real ones, and with hostile names and data."""

import json
from typing import Any

from amberflo_workflows.local.system import System
from amberflo_workflows.operate.executions.executions import Executions
from amberflo_workflows.operate.executions.graph import Graph, build_graph
from amberflo_workflows.operate.executions.history import build_execution
from amberflo_workflows.operate.executions.model import Execution, LogLine
from tests.operate.executions.histories import FAILED, History

# An existing workflow, so that the executions can be started again.
WORKFLOW = "list_meters"
HOSTILE = "<script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">"
STATES = 500
ITEMS, FAILED_ITEM = 10_000, 9_876


class SampleExecutions(Executions):
    """The executions of a system, where ``get`` and ``graph_of`` serve synthetic ones by ARN."""

    def __init__(self, system: System, samples: dict[str, tuple[Execution, Graph]]) -> None:
        super().__init__(system)
        self._samples = samples

    def get(self, arn: str) -> Execution:
        return self._samples[arn][0]

    def get_graph(self, execution: Execution) -> Graph:
        return self._samples[execution.summary.arn][1]

    def read_state_log_lines(self, execution: Execution, *_: Any) -> list[LogLine]:
        return [LogLine(execution.summary.started, "r", "INFO", HOSTILE, json.dumps({"message": HOSTILE}))]


def sample_executions(system: System) -> SampleExecutions:
    """Build the executions ``hostile``, ``map``, ``long``, ``Aborted`` and ``TimedOut``."""
    samples = {"hostile": _build_hostile(), "map": _build_map(), "long": _build_long()}
    samples |= {status: _build_ended(f"Execution{status}") for status in ("Aborted", "TimedOut")}
    return SampleExecutions(
        system,
        {
            _arn(name): (_build_execution(_arn(name), history, graph), graph)
            for name, (history, graph) in samples.items()
        },
    )


def _arn(name: str) -> str:
    return f"arn:aws:states:us-east-1:000000000000:execution:Machine:{name}"


def execution_path(name: str) -> str:
    """The path of an execution's page."""
    return f"executions/{_arn(name)}"


def _build_execution(arn: str, history: History, graph: Graph) -> Execution:
    return build_execution(arn, WORKFLOW, history.events, graph)


def _build_sequence(*names: str, **states: Any) -> Graph:
    """A graph of states in sequence. States that ``states`` does not define are Pass states."""
    next_names = [*names[1:], None]
    definitions = {
        name: {"Type": "Pass", **({"Next": next_name} if next_name else {"End": True}), **states.get(name, {})}
        for name, next_name in zip(names, next_names, strict=True)
    }
    return build_graph({"StartAt": names[0], "States": definitions})


def _add_pass_state(history: History, name: str, data: str) -> None:
    history.add("PassStateEntered", name=name, input=data)
    history.add("PassStateExited", name=name, output=data)


def nested(levels: int) -> Any:
    """Build an object with nested objects."""
    value: Any = HOSTILE
    for level in range(levels):
        value = {f"level {level}": value}
    return value


def _build_hostile() -> tuple[History, Graph]:
    """An execution with markup in names and data, a name of 80 characters, deep and large JSON, and a long number."""
    long_name = "N" * 80
    large = {"rows": [{"id": number, "text": "x" * 20} for number in range(4_000)], "long": "y" * 50_000}
    history = History()
    history.add("ExecutionStarted", input=f'{{"digits": 12345678901234567890.10, "{HOSTILE[:8]}": true}}')
    _add_pass_state(history, HOSTILE, json.dumps(nested(100)))
    _add_pass_state(history, long_name, json.dumps(large))
    history.add("FailStateEntered", name="Fail", input="not JSON " + HOSTILE)
    history.add("ExecutionFailed", error=HOSTILE, cause=HOSTILE)
    return history, _build_sequence(HOSTILE, long_name, "Fail", Fail={"Type": "Fail"})


def _build_map() -> tuple[History, Graph]:
    """An execution with a Map over 10,000 items, of which one failed."""
    history = History().started()
    history.add("MapStateEntered", name="Each", input="[]")
    map_started = history.add("MapStateStarted", length=ITEMS)
    for index in range(ITEMS):
        history.add("MapIterationStarted", map_started, name="Each", index=index)
        history.add("TaskStateEntered", name="One", input=json.dumps({"item": index}))
        history.add("LambdaFunctionScheduled", resource="arn:aws:lambda:us-east-1:1:function:f")
        if index == FAILED_ITEM:
            last = history.add("LambdaFunctionFailed", **FAILED)
            history.add("MapIterationFailed", name="Each", index=index)
            continue
        history.add("LambdaFunctionSucceeded", output="{}")
        last = history.add("TaskStateExited", name="One", output="{}")
        history.add("MapIterationSucceeded", last, name="Each", index=index)
    history.add("ExecutionFailed", **FAILED)
    processor = {"StartAt": "One", "States": {"One": {"Type": "Task", "Resource": "arn:aws:lambda:…", "End": True}}}
    return history, _build_sequence("Each", Each={"Type": "Map", "ItemProcessor": processor})


def _build_long() -> tuple[History, Graph]:
    names = [f"State{number}" for number in range(STATES)]
    history = History().started()
    for name in names:
        _add_pass_state(history, name, "{}")
    history.add("ExecutionSucceeded", output="{}")
    return history, _build_sequence(*names)


def _build_ended(status: str) -> tuple[History, Graph]:
    history = History().started()
    history.add("TaskStateEntered", name="Work", input="{}")
    history.add("LambdaFunctionScheduled", resource="r", input='{"request": "of the task"}')
    history.add(status)
    return history, _build_sequence("Work", "Rest", Work={"Type": "Task", "Resource": "r"})
